#include "agent/journal/journal.hpp"

#include <algorithm>
#include <cerrno>
#include <utility>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

namespace firedrill::agent {
namespace {

namespace format = journal_format;

constexpr const char* kName = "journal";
constexpr const char* kNewName = "journal.new";
constexpr const char* kDamagedName = "journal.damaged";

class File {
 public:
  explicit File(int fd) : fd_(fd) {}
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  ~File() {
    if (fd_ >= 0) ::close(fd_);
  }
  [[nodiscard]] int get() const { return fd_; }
  int release() { return std::exchange(fd_, -1); }

 private:
  int fd_;
};

Result<void> write_all(int fd, std::string_view bytes, std::size_t at) {
  while (!bytes.empty()) {
    const ssize_t done = ::pwrite(fd, bytes.data(), bytes.size(), static_cast<off_t>(at));
    if (done < 0 && errno == EINTR) continue;
    if (done < 0) return fail_errno(errno, "write the journal");
    bytes.remove_prefix(static_cast<std::size_t>(done));
    at += static_cast<std::size_t>(done);
  }
  return {};
}

Result<std::string> read_whole(int fd) {
  struct stat info{};
  if (::fstat(fd, &info) != 0) return fail_errno(errno, "stat the journal");
  std::string bytes(static_cast<std::size_t>(info.st_size), '\0');
  std::size_t have = 0;
  while (have < bytes.size()) {
    const ssize_t got =
        ::pread(fd, bytes.data() + have, bytes.size() - have, static_cast<off_t>(have));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail_errno(errno, "read the journal");
    if (got == 0) break;  // cut while we read; the rest is missing and will be seen as such
    have += static_cast<std::size_t>(got);
  }
  bytes.resize(have);
  return bytes;
}

Result<void> sync_directory(const std::filesystem::path& directory) {
  const File file(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (file.get() < 0 || ::fsync(file.get()) != 0)
    return fail_errno(errno, fmt::format("sync '{}'", directory.string()));
  return {};
}

/// Real zeros, not a hole and not an unwritten extent: later writes then allocate nothing and
/// change no metadata, so that a full disk cannot stop them.
Result<void> fill_with_zeros(int fd, std::size_t from, std::size_t to) {
  const std::string zeros(64 << 10, '\0');
  for (std::size_t at = from; at < to; at += zeros.size()) {
    const std::string_view piece =
        std::string_view(zeros).substr(0, std::min(zeros.size(), to - at));
    if (auto done = write_all(fd, piece, at); !done) return done;
  }
  return {};
}

/// A whole new file under a temporary name, synced. The caller renames it.
Result<int> create_file(const std::filesystem::path& directory, const format::FileHeader& header,
                        std::string_view records) {
  const std::string path = directory / kNewName;
  File file(::open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  if (file.get() < 0) return fail_errno(errno, fmt::format("create '{}'", path));
  // Where fallocate is not to be had, the zeros below allocate just as well.
  if (::fallocate(file.get(), 0, 0, kJournalBytes) != 0 && errno == ENOSPC)
    return fail_errno(ENOSPC, fmt::format("reserve {} bytes for '{}'", kJournalBytes, path));
  std::string start = format::encode_header(header);
  start += records;
  if (auto done = write_all(file.get(), start, 0); !done) return std::unexpected(done.error());
  if (auto done = fill_with_zeros(file.get(), start.size(), kJournalBytes); !done)
    return std::unexpected(done.error());
  if (::fsync(file.get()) != 0) return fail_errno(errno, fmt::format("sync '{}'", path));
  return file.release();
}

Result<void> rename_new(const std::filesystem::path& directory) {
  const std::string from = directory / kNewName;
  const std::string to = directory / kName;
  if (::rename(from.c_str(), to.c_str()) != 0) return fail_errno(errno, "rename the new journal");
  return sync_directory(directory);
}

/// Text that is not UTF-8 (a kernel's words may be) must not stop a record.
std::string dump(const Json& payload) {
  return payload.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::string version_words(std::uint32_t version, const JournalVersions& versions) {
  return fmt::format(
      "the journal is of version {}, this program reads {} to {}: undo with the "
      "program that wrote it",
      version, versions.oldest, versions.current());
}

JournalFold fold_file(std::string_view bytes, const format::Scan& scan,
                      const JournalVersions& versions) {
  const auto header = format::decode_header(bytes);
  if (header && !versions.readable(header->version)) {
    JournalFold unread;
    unread.note_lost({"journal:version", {}, {}, version_words(header->version, versions)});
    return unread;
  }
  // Records behind a broken header are most likely of the present version, and checked one by one.
  JournalFold folded = fold(scan, header ? header->version : versions.current(), versions);
  if (!header) folded.note_lost({"journal:header", {}, {}, header.error().what});
  if (bytes.size() != kJournalBytes)
    folded.note_lost({fmt::format("journal:cut-{}", bytes.size()),
                      {},
                      {},
                      fmt::format("the journal has {} bytes instead of {}: records may be missing",
                                  bytes.size(), kJournalBytes)});
  return folded;
}

}  // namespace

void remove_unfinished_journal(const std::filesystem::path& directory, const StateLock&) {
  ::unlink((directory / kNewName).c_str());
}

Result<JournalView> read_journal(const std::filesystem::path& directory,
                                 const JournalVersions& versions) {
  const std::string path = directory / kName;
  const File file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOATIME));
  if (file.get() < 0) {
    if (errno == ENOENT) return JournalView{};
    return fail_errno(errno, fmt::format("open '{}'", path));
  }
  // Its writer may be in the middle of a record: damage counts only if it is still there later.
  constexpr int kTries = 3;
  for (int attempt = 1;; ++attempt) {
    const auto bytes = read_whole(file.get());
    if (!bytes) return std::unexpected(bytes.error());
    JournalView view = fold_file(*bytes, format::scan(*bytes), versions).view();
    if (view.lost.empty() || attempt == kTries) return view;
    ::usleep(2000);
  }
}

Journal::Journal(std::filesystem::path directory, std::string boot_id,
                 const JournalVersions& versions)
    : directory_(std::move(directory)), boot_id_(std::move(boot_id)), versions_(versions) {}

Journal::Journal(Journal&& other) noexcept
    : directory_(std::move(other.directory_)),
      boot_id_(std::move(other.boot_id_)),
      versions_(other.versions_),
      fold_(std::move(other.fold_)),
      fd_(std::exchange(other.fd_, -1)),
      end_(other.end_),
      next_sequence_(other.next_sequence_),
      sync_failed_(other.sync_failed_),
      outdated_(other.outdated_) {}

Journal::~Journal() {
  if (fd_ >= 0) ::close(fd_);
}

Result<Journal> Journal::open(const std::filesystem::path& directory, const std::string& boot_id,
                              const StateLock& /*proof that we are the only writer*/,
                              const JournalVersions& versions) {
  Journal journal(directory, boot_id, versions);
  const std::string path = directory / kName;
  journal.fd_ = ::open(path.c_str(), O_RDWR | O_CLOEXEC);
  if (journal.fd_ < 0 && errno != ENOENT) return fail_errno(errno, fmt::format("open '{}'", path));
  if (journal.fd_ < 0) {
    const auto created = create_file(directory, {kJournalBytes, boot_id, versions.current()}, {});
    if (!created) return std::unexpected(created.error());
    journal.fd_ = *created;
    if (auto renamed = rename_new(directory); !renamed) return std::unexpected(renamed.error());
  } else if (!sync_directory(directory)) {
    // Whoever made the file may have died before its name was on the disk.
    journal.sync_failed_ = true;
  }
  if (auto loaded = journal.load(); !loaded) return std::unexpected(loaded.error());
  return journal;
}

Result<void> Journal::load() {
  const auto bytes = read_whole(fd_);
  if (!bytes) return std::unexpected(bytes.error());
  const auto header = format::decode_header(*bytes);
  if (header && !versions_.readable(header->version))
    return fail(ErrorCode::unsupported, version_words(header->version, versions_));
  const format::Scan scanned = format::scan(*bytes);
  fold_ = fold_file(*bytes, scanned, versions_);
  end_ = scanned.end;
  next_sequence_ = scanned.next_sequence;
  if (!header || bytes->size() != kJournalBytes) return replace(kDamagedName);
  if (header->version == versions_.current()) return {};
  outdated_ = true;
  return replace(fmt::format("{}.v{}", kName, header->version));
}

/// What the file says moves into a whole one of the present version, its losses among it, and the
/// old one is kept for a person. Should the disk refuse, undoing from memory goes on.
Result<void> Journal::replace(const std::string& kept_name) {
  const std::string path = directory_ / kName;
  const std::string kept = directory_ / kept_name;
  ::unlink(kept.c_str());
  if (::link(path.c_str(), kept.c_str()) != 0)
    return fail_errno(errno, fmt::format("keep the old journal as '{}'", kept));
  [[maybe_unused]] const Result<void> rebuilt = rebuild();
  return {};
}

std::size_t Journal::free_bytes() const { return kJournalBytes - std::min(end_, kJournalBytes); }

Result<void> Journal::append(const Json& payload, Durability durability, std::size_t keep_free) {
  if (outdated_)
    return fail(
        ErrorCode::unavailable,
        "the journal is of an older version and could not be written anew: is its disk full?");
  const std::string text = dump(payload);
  if (text.size() > format::kMaxPayloadBytes - 8)
    return fail(ErrorCode::invalid_input,
                fmt::format("a journal record of {} bytes is too long", text.size()));
  const std::string record = format::encode_record(next_sequence_, text);
  if (record.size() + keep_free > free_bytes())
    return fail(ErrorCode::unavailable,
                "the journal is full; it is emptied when no injection is open");
  if (auto done = write_all(fd_, record, end_); !done) {
    // A half-written record would read as damage; nothing was promised yet, so take it back.
    [[maybe_unused]] const auto cleared = write_all(fd_, std::string(record.size(), '\0'), end_);
    return done;
  }
  end_ += record.size();
  ++next_sequence_;
  const Result<void> folded = fold_.apply(payload);
  if (durability == Durability::synced && ::fdatasync(fd_) != 0) {
    sync_failed_ = true;
    return fail_errno(errno, "sync the journal");
  }
  return folded;
}

Result<void> Journal::prepare(const JournalEntry& entry) {
  if (sync_failed_ || outdated_ || free_bytes() < kJournalReserveBytes + format::kMaxPayloadBytes) {
    // A new file is the way out of both; without one the checks below and in append() refuse.
    [[maybe_unused]] const Result<void> rebuilt = rebuild();
  }
  if (sync_failed_)
    return fail(ErrorCode::unavailable, "the journal cannot be synced: is its disk well?");
  const Json payload = prepared_payload(entry);
  if (auto readable = JournalFold{}.apply(payload); !readable)
    return with_context(readable.error(), "what would be written could not be read back");
  return append(payload, Durability::synced, kJournalReserveBytes);
}

Result<void> Journal::record(const Transition& transition, Durability durability) {
  return append(transition_payload(transition), durability, 0);
}

Result<void> Journal::forget(std::string_view id, const Json& by, UtcTime at) {
  return append(forgotten_payload(id, by, at), Durability::synced, 0);
}

Result<void> Journal::mark_reported() { return append(reported_payload(), Durability::synced, 0); }

Result<void> Journal::compact_if_worthwhile() {
  if (!fold_.nothing_open() || end_ < kJournalBytes / 2) return {};
  return rebuild();
}

Result<void> Journal::rebuild() {
  std::string records;
  std::uint64_t sequence = 1;
  const auto keep = [&](const Json& payload) {
    records += format::encode_record(sequence++, dump(payload));
  };
  const JournalView kept = fold_.view();
  for (const LostRecord& lost : kept.lost) keep(lost_payload(lost));
  for (const Transition& transition : kept.unreported) keep(transition_payload(transition));
  for (const JournalEntry& entry : kept.open) keep(prepared_payload(entry));
  if (format::kHeaderBytes + records.size() + kJournalReserveBytes > kJournalBytes)
    return fail(ErrorCode::unavailable, "the journal is full of open injections");
  const auto created =
      create_file(directory_, {kJournalBytes, boot_id_, versions_.current()}, records);
  if (!created) return std::unexpected(created.error());
  File fresh(*created);
  if (auto renamed = rename_new(directory_); !renamed) return renamed;
  ::close(std::exchange(fd_, fresh.release()));
  end_ = format::kHeaderBytes + records.size();
  next_sequence_ = sequence;
  sync_failed_ = outdated_ = false;
  return {};
}

}  // namespace firedrill::agent
