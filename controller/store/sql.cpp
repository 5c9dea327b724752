#include "controller/store/sql.hpp"

#include <array>
#include <cerrno>

#include <fmt/core.h>

namespace firedrill::sql {
namespace {

constexpr int kSchemaVersion = 3;
constexpr int kApplicationId = 0x46447231;  // "FDr1": tells our files from other SQLite files

// Times are microseconds UTC. Events carry their data exactly as it was dumped.
constexpr std::array kSchema{
    "CREATE TABLE runs ("
    " id TEXT PRIMARY KEY NOT NULL, title TEXT NOT NULL, experiment TEXT NOT NULL,"
    " started BIGINT NOT NULL, state TEXT NOT NULL CHECK (state IN ('running', 'finished')),"
    " finished BIGINT NOT NULL DEFAULT 0, verdict TEXT NOT NULL DEFAULT '',"
    " scores TEXT NOT NULL DEFAULT '{}') WITHOUT ROWID",
    "CREATE INDEX runs_by_start ON runs (started)",
    "CREATE TABLE events ("
    " run TEXT NOT NULL REFERENCES runs (id), seq BIGINT NOT NULL CHECK (seq >= 1),"
    " at BIGINT NOT NULL, uncertainty BIGINT NOT NULL, source TEXT NOT NULL, kind TEXT NOT NULL,"
    " data TEXT NOT NULL, PRIMARY KEY (run, seq)) WITHOUT ROWID",
    "CREATE TRIGGER events_never_change BEFORE UPDATE ON events"
    " BEGIN SELECT RAISE(ABORT, 'events never change'); END",
    "CREATE TRIGGER events_never_vanish BEFORE DELETE ON events"
    " BEGIN SELECT RAISE(ABORT, 'events never vanish'); END"};

/// From format 1, whose events are not chained: what they hold stays as it is.
constexpr std::array kToVersionTwo{
    "ALTER TABLE events ADD COLUMN hash TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE runs ADD COLUMN sealed_seq BIGINT NOT NULL DEFAULT 0",
    "ALTER TABLE runs ADD COLUMN sealed_hash TEXT NOT NULL DEFAULT ''"};

/// From format 2, in which every log is a run's.
constexpr std::array kToVersionThree{
    "ALTER TABLE runs ADD COLUMN kind TEXT NOT NULL DEFAULT 'run' CHECK (kind IN ('run', 'log'))"};

long long pragma(soci::session& session, const std::string& name) {
  long long value = 0;
  session << "PRAGMA " + name, soci::into(value);
  return value;
}

}  // namespace

std::unexpected<Error> to_error(const soci::soci_error& error, const std::filesystem::path& path) {
  const std::string words = error.get_error_message();
  const auto* sqlite = dynamic_cast<const soci::sqlite3_soci_error*>(&error);
  // The extended code carries the kind of I/O error in its upper bits.
  const int code = sqlite != nullptr ? sqlite->result() & 0xff : SQLITE_ERROR;
  const auto said = [&](std::string_view what) {
    return fmt::format("store '{}': {} ({})", path.string(), what, words);
  };
  switch (code) {
    case SQLITE_FULL:
      return fail(ErrorCode::io_failed, ENOSPC, said("the disk is full; free some space"));
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return fail(ErrorCode::unavailable, EBUSY, said("another process holds it locked"));
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_AUTH:
      return fail(ErrorCode::permission_denied, EACCES, said("it is not writable"));
    case SQLITE_CANTOPEN:
      return fail(ErrorCode::io_failed, 0, said("it cannot be opened"));
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return fail(ErrorCode::corrupt, said("it is damaged or no SQLite file"));
    case SQLITE_CONSTRAINT:
      return fail(ErrorCode::already_exists, said("it is there already"));
    case SQLITE_IOERR:
      return fail(ErrorCode::io_failed, EIO, said("reading or writing failed"));
    default:
      return fail(ErrorCode::io_failed, 0, said("SQLite failed"));
  }
}

WriteTransaction::~WriteTransaction() {
  if (!open_) return;
  try {
    session_ << "ROLLBACK";
  } catch (const soci::soci_error&) {
    // After SQLITE_FULL and the like, SQLite has rolled back by itself.
  }
}

Result<void> prepare_schema(soci::session& session, const std::filesystem::path& path) {
  // The lock comes first: two processes may both find the file empty.
  WriteTransaction transaction(session);
  const long long application = pragma(session, "application_id");
  const long long version = pragma(session, "user_version");
  if (application == kApplicationId && version == kSchemaVersion) {
    transaction.commit();
    return {};
  }
  if (application == kApplicationId && version > kSchemaVersion)
    return fail(ErrorCode::unsupported,
                fmt::format("store '{}' has format {}, this Firedrill knows {}; use the newer "
                            "Firedrill that wrote it",
                            path.string(), version, kSchemaVersion));
  if (application == kApplicationId && version >= 1) {
    if (version < 2)
      for (const char* statement : kToVersionTwo) session << statement;
    for (const char* statement : kToVersionThree) session << statement;
    session << fmt::format("PRAGMA user_version = {}", kSchemaVersion);
    transaction.commit();
    return {};
  }
  long long tables = 0;
  session << "SELECT count(*) FROM sqlite_master", soci::into(tables);
  if (application != 0 || tables != 0)
    return fail(ErrorCode::corrupt,
                fmt::format("'{}' is a database, but not a Firedrill store", path.string()));
  for (const char* statement : kSchema) session << statement;
  for (const char* statement : kToVersionTwo) session << statement;
  for (const char* statement : kToVersionThree) session << statement;
  session << fmt::format("PRAGMA application_id = {}", kApplicationId);
  session << fmt::format("PRAGMA user_version = {}", kSchemaVersion);
  transaction.commit();
  return {};
}

}  // namespace firedrill::sql
