#include "agent/probes/curl_library.hpp"

#include "agent/kernel/dynamic_library.hpp"

namespace firedrill::agent {
namespace {

Result<CurlLibrary> load() {
  const auto file = kernel::DynamicLibrary::open("libcurl.so.4", "libcurl4");
  if (!file) return std::unexpected(file.error());
  CurlLibrary curl;
  Result<void> found;
  const auto find = [&file, &found](const char* name, auto& function) {
    if (found) found = file->find(name, function);
  };
  find("curl_global_init", curl.global_init);
  find("curl_easy_init", curl.easy_init);
  find("curl_easy_reset", curl.easy_reset);
  find("curl_easy_setopt", curl.easy_setopt);
  find("curl_easy_getinfo", curl.easy_getinfo);
  find("curl_easy_strerror", curl.easy_strerror);
  find("curl_easy_cleanup", curl.easy_cleanup);
  find("curl_multi_init", curl.multi_init);
  find("curl_multi_setopt", curl.multi_setopt);
  find("curl_multi_add_handle", curl.multi_add_handle);
  find("curl_multi_remove_handle", curl.multi_remove_handle);
  find("curl_multi_perform", curl.multi_perform);
  find("curl_multi_poll", curl.multi_poll);
  find("curl_multi_wakeup", curl.multi_wakeup);
  find("curl_multi_info_read", curl.multi_info_read);
  find("curl_multi_cleanup", curl.multi_cleanup);
  find("curl_slist_append", curl.slist_append);
  find("curl_slist_free_all", curl.slist_free_all);
  if (!found) return std::unexpected(found.error());
  if (curl.global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
    return fail(ErrorCode::unsupported, "libcurl does not start");
  return curl;
}

}  // namespace

const Result<CurlLibrary>& curl_library() {
  static const Result<CurlLibrary> loaded = load();
  return loaded;
}

}  // namespace firedrill::agent
