#include "agent/probes/curl_library.hpp"

#include "agent/kernel/dynamic_library.hpp"

namespace firedrill::agent {
namespace {

Result<CurlLibrary> load() {
  auto library = kernel::load_table<CurlLibrary>(
      "libcurl.so.4", "libcurl4", [](auto& table, const auto& find) {
        find("curl_global_init", table.global_init);
        find("curl_easy_init", table.easy_init);
        find("curl_easy_reset", table.easy_reset);
        find("curl_easy_setopt", table.easy_setopt);
        find("curl_easy_getinfo", table.easy_getinfo);
        find("curl_easy_strerror", table.easy_strerror);
        find("curl_easy_cleanup", table.easy_cleanup);
        find("curl_multi_init", table.multi_init);
        find("curl_multi_setopt", table.multi_setopt);
        find("curl_multi_add_handle", table.multi_add_handle);
        find("curl_multi_remove_handle", table.multi_remove_handle);
        find("curl_multi_perform", table.multi_perform);
        find("curl_multi_poll", table.multi_poll);
        find("curl_multi_wakeup", table.multi_wakeup);
        find("curl_multi_info_read", table.multi_info_read);
        find("curl_multi_cleanup", table.multi_cleanup);
        find("curl_slist_append", table.slist_append);
        find("curl_slist_free_all", table.slist_free_all);
      });
  if (!library) return library;
  if (library->global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
    return fail(ErrorCode::unsupported, "libcurl does not start");
  return library;
}

}  // namespace

const Result<CurlLibrary>& curl_library() {
  static const Result<CurlLibrary> loaded = load();
  return loaded;
}

}  // namespace firedrill::agent
