// The store's SQL session: one place where SOCI's exceptions become errors. Private to the store.
#pragma once

#include <filesystem>

#include <soci/soci.h>
#include <soci/sqlite3/soci-sqlite3.h>

#include "firedrill/result.hpp"

namespace firedrill::sql {

/// The error that SQLite's result code means for a caller. `path` is for the text.
[[nodiscard]] std::unexpected<Error> to_error(const soci::soci_error& error,
                                              const std::filesystem::path& path);

/// Runs `work` (which returns a Result) and turns what SOCI throws into an error.
template <class Work>
auto guarded(const std::filesystem::path& path, Work&& work) -> decltype(work()) {
  try {
    return work();
  } catch (const soci::soci_error& error) {
    return to_error(error, path);
  }
}

/// BEGIN IMMEDIATE: a deferred transaction that first reads and then writes fails with BUSY when
/// another process wrote in between, and no waiting helps it. Rolls back unless committed.
class WriteTransaction {
 public:
  explicit WriteTransaction(soci::session& session) : session_(session) {
    session_ << "BEGIN IMMEDIATE";
  }
  WriteTransaction(const WriteTransaction&) = delete;
  WriteTransaction& operator=(const WriteTransaction&) = delete;
  ~WriteTransaction();
  void commit() {
    session_ << "COMMIT";
    open_ = false;
  }

 private:
  soci::session& session_;
  bool open_ = true;
};

/// Creates the tables in an empty file, and refuses files that are not ours or newer than us.
[[nodiscard]] Result<void> prepare_schema(soci::session& session,
                                          const std::filesystem::path& path);

}  // namespace firedrill::sql
