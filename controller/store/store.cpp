#include "controller/store/store.hpp"

#include <cerrno>
#include <chrono>
#include <mutex>
#include <ostream>
#include <thread>

#include <fmt/core.h>

#include "controller/store/sql.hpp"

namespace firedrill {
namespace {

using soci::into;
using soci::use;
using namespace std::chrono_literals;

constexpr int kBusyMilliseconds = 10'000;
constexpr std::size_t kLongestId = 64;

/// A run as the columns hold it; SOCI binds to its members.
struct RunColumns {
  std::string id, title, experiment, state, verdict, scores, sealed_hash;
  long long started = 0, finished = 0, sealed_seq = 0;
};

constexpr std::string_view kRunColumns =
    "SELECT id, title, experiment, started, state, finished, verdict, scores, sealed_seq,"
    " sealed_hash FROM runs ";

bool valid_id(std::string_view id) {
  constexpr std::string_view kAllowed =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
  return !id.empty() && id.size() <= kLongestId &&
         id.find_first_not_of(kAllowed) == std::string_view::npos;
}

/// The JSON as stored. dump() throws on text that is not UTF-8; this is where that stops.
Result<std::string> dumped(const Json& json, std::string_view what) {
  try {
    return json.dump();
  } catch (const Json::exception&) {
    return fail(ErrorCode::invalid_input, fmt::format("{} holds text that is not UTF-8", what));
  }
}

Result<void> check_text(const std::string& text, std::string_view what) {
  if (text.find('\0') != std::string::npos)
    return fail(ErrorCode::invalid_input, fmt::format("{} holds a NUL byte", what));
  if (auto utf8 = dumped(Json(text), what); !utf8) return std::unexpected(utf8.error());
  return {};
}

Result<RunRow> to_run(const RunColumns& columns) {
  auto scores = parse_json(columns.scores, fmt::format("scores of run {}", columns.id));
  if (!scores) return fail(ErrorCode::corrupt, scores.error().what);
  RunRow run{.id = columns.id,
             .title = columns.title,
             .experiment = columns.experiment,
             .started = from_micros(columns.started),
             .state = columns.state,
             .finished = std::nullopt,
             .verdict = columns.verdict,
             .scores = std::move(*scores),
             .seal = {columns.sealed_seq, columns.sealed_hash}};
  if (columns.finished != 0) run.finished = from_micros(columns.finished);
  return run;
}

}  // namespace

struct Store::State {
  explicit State(std::filesystem::path file) : path(std::move(file)) {}

  [[nodiscard]] Result<void> connect();
  [[nodiscard]] Result<void> require_run(const std::string& run);
  [[nodiscard]] Result<void> insert(Event& event);
  /// The hash of that event; empty when it has none, or there is no such event.
  [[nodiscard]] std::string last_hash(const std::string& run, long long seq);
  /// Rows that `where` selects; `text` binds to :text and `limit` to :limit.
  [[nodiscard]] Result<std::vector<RunRow>> select_runs(std::string_view where, std::string text,
                                                        long long limit);

  std::filesystem::path path;
  std::mutex mutex;
  soci::session session;
};

Store::Store(std::unique_ptr<State> state) : state_(std::move(state)) {}
Store::~Store() = default;

Result<void> Store::State::connect() {
  session.open(soci::sqlite3, fmt::format("dbname=\"{}\"", path.string()));
  session << fmt::format("PRAGMA busy_timeout = {}", kBusyMilliseconds);
  std::string mode;
  session << "PRAGMA journal_mode = WAL", into(mode);
  if (mode != "wal")
    return fail(ErrorCode::io_failed,
                fmt::format("store '{}': this file system cannot hold a write-ahead log "
                            "(shared memory is missing); put the store on a local disk",
                            path.string()));
  session << "PRAGMA synchronous = NORMAL";
  session << "PRAGMA foreign_keys = ON";
  return sql::prepare_schema(session, path);
}

Result<std::unique_ptr<Store>> Store::open(const std::filesystem::path& path) {
  if (path.string().find_first_of("\"\n") != std::string::npos)
    return fail(ErrorCode::invalid_input, "a store's path cannot hold quotes or line breaks");
  std::error_code error;
  const auto folder = path.has_parent_path() ? path.parent_path() : std::filesystem::path(".");
  if (!std::filesystem::is_directory(folder, error))
    return fail(ErrorCode::not_found, ENOENT,
                fmt::format("folder '{}' of the store does not exist; create it", folder.string()));
  // The switch to WAL does not wait for the lock as other statements do, so a second process that
  // opens the new file at the same moment tries again.
  for (int attempt = 1;; ++attempt) {
    auto state = std::make_unique<State>(path);
    const Result<void> connected = sql::guarded(path, [&] { return state->connect(); });
    if (connected) return std::unique_ptr<Store>(new Store(std::move(state)));
    if (connected.error().code != ErrorCode::unavailable || attempt == 100)
      return std::unexpected(connected.error());
    std::this_thread::sleep_for(20ms);
  }
}

Result<void> Store::create_run(const RunRow& run) {
  if (!valid_id(run.id))
    return fail(ErrorCode::invalid_input,
                fmt::format("'{}' is no run id: 1 to 64 of A-Z a-z 0-9 . _ -", run.id));
  if (run.state != "running" || run.finished)
    return fail(ErrorCode::invalid_input, "a run is created running; finish_run() ends it");
  for (const auto* text : {&run.title, &run.experiment})
    if (auto good = check_text(*text, "the run's title or experiment"); !good) return good;
  const std::lock_guard lock(state_->mutex);
  const long long started = to_micros(run.started);
  auto created = sql::guarded(state_->path, [&]() -> Result<void> {
    state_->session << "INSERT INTO runs (id, title, experiment, started, state)"
                       " VALUES (:id, :title, :experiment, :started, 'running')",
        use(run.id), use(run.title), use(run.experiment), use(started);
    return {};
  });
  if (!created && created.error().code == ErrorCode::already_exists)
    created.error().what = fmt::format("run '{}' is in the store already", run.id);
  return created;
}

Result<void> Store::ensure_log(const std::string& id, const std::string& title, UtcTime started) {
  if (!valid_id(id)) return fail(ErrorCode::invalid_input, fmt::format("'{}' is no log's id", id));
  if (auto good = check_text(title, "the log's title"); !good) return good;
  const std::lock_guard lock(state_->mutex);
  const long long at = to_micros(started);
  return sql::guarded(state_->path, [&]() -> Result<void> {
    state_->session << "INSERT OR IGNORE INTO runs (id, title, experiment, started, state, kind)"
                       " VALUES (:id, :title, '', :started, 'running', 'log')",
        use(id), use(title), use(at);
    return {};
  });
}

Result<void> Store::State::require_run(const std::string& run) {
  long long count = 0;
  session << "SELECT count(*) FROM runs WHERE id = :id", into(count), use(run);
  if (count == 0) return fail(ErrorCode::not_found, fmt::format("no run '{}' in the store", run));
  return {};
}

/// Inside a write transaction, so that no other process can take the same seq.
Result<void> Store::State::insert(Event& event) {
  const auto data = dumped(event.data, fmt::format("the data of event '{}'", event.kind));
  if (!data) return std::unexpected(data.error());
  for (const auto* text : {&event.source, &event.kind})
    if (auto good = check_text(*text, "an event's source or kind"); !good) return good;
  if (auto known = require_run(event.run); !known) return known;
  long long seq = 0;
  session << "SELECT coalesce(max(seq), 0) + 1 FROM events WHERE run = :run", into(seq),
      use(event.run);
  event.seq = seq;
  event.hash = chain_hash(last_hash(event.run, seq - 1), event);
  const long long at = to_micros(event.at);
  const long long uncertainty = event.uncertainty.count();
  session << "INSERT INTO events (run, seq, at, uncertainty, source, kind, data, hash)"
             " VALUES (:run, :seq, :at, :uncertainty, :source, :kind, :data, :hash)",
      use(event.run), use(seq), use(at), use(uncertainty), use(event.source), use(event.kind),
      use(*data), use(event.hash);
  return {};
}

std::string Store::State::last_hash(const std::string& run, long long seq) {
  std::string hash;
  if (seq > 0)
    session << "SELECT hash FROM events WHERE run = :run AND seq = :seq", into(hash), use(run),
        use(seq);
  return hash;
}

Result<Event> Store::append(Event event) {
  std::vector<Event> one;
  one.push_back(std::move(event));
  auto stored = append_many(std::move(one));
  if (!stored) return std::unexpected(stored.error());
  return std::move(stored->front());
}

Result<std::vector<Event>> Store::append_many(std::vector<Event> events) {
  const std::lock_guard lock(state_->mutex);
  return sql::guarded(state_->path, [&]() -> Result<std::vector<Event>> {
    sql::WriteTransaction transaction(state_->session);
    for (Event& event : events)
      if (auto inserted = state_->insert(event); !inserted)
        return std::unexpected(inserted.error());
    transaction.commit();
    return std::move(events);
  });
}

Result<void> Store::finish_run(std::string_view id, UtcTime finished, std::string_view verdict,
                               const Json& scores) {
  const auto text = dumped(scores, "the scores");
  if (!text) return std::unexpected(text.error());
  const std::string run(id), word(verdict);
  if (auto good = check_text(word, "the verdict"); !good) return good;
  const long long at = to_micros(finished);
  const std::lock_guard lock(state_->mutex);
  return sql::guarded(state_->path, [&]() -> Result<void> {
    sql::WriteTransaction transaction(state_->session);
    if (auto known = state_->require_run(run); !known) return known;
    std::string state;
    state_->session << "SELECT state FROM runs WHERE id = :id", into(state), use(run);
    if (state == "finished")
      return fail(ErrorCode::already_exists, fmt::format("run '{}' is finished already", run));
    long long last = 0;
    state_->session << "SELECT coalesce(max(seq), 0) FROM events WHERE run = :run", into(last),
        use(run);
    const std::string seal = state_->last_hash(run, last);
    state_->session << "UPDATE runs SET state = 'finished', finished = :at, verdict = :verdict,"
                       " scores = :scores, sealed_seq = :last, sealed_hash = :seal WHERE id = :id",
        use(at), use(word), use(*text), use(last), use(seal), use(run);
    transaction.commit();
    return {};
  });
}

Result<std::vector<Event>> Store::events(std::string_view id, std::int64_t after,
                                         std::int64_t most) {
  const std::string run(id);
  const std::lock_guard lock(state_->mutex);
  return sql::guarded(state_->path, [&]() -> Result<std::vector<Event>> {
    if (auto known = state_->require_run(run); !known) return std::unexpected(known.error());
    std::vector<Event> events;
    Event event;
    std::string data;
    long long seq = 0, at = 0, uncertainty = 0;
    const long long first = after, limit = most;
    soci::statement rows =
        (state_->session.prepare << "SELECT seq, at, uncertainty, source, kind, data, hash"
                                    " FROM events WHERE run = :run AND seq > :after"
                                    " ORDER BY seq LIMIT :most",
         into(seq), into(at), into(uncertainty), into(event.source), into(event.kind), into(data),
         into(event.hash), use(run), use(first), use(limit));
    rows.execute();
    while (rows.fetch()) {
      auto json = parse_json(data, fmt::format("event {} of run {}", seq, run));
      if (!json) return fail(ErrorCode::corrupt, json.error().what);
      event.seq = seq;
      event.run = run;
      event.at = from_micros(at);
      event.uncertainty = Duration{uncertainty};
      event.data = std::move(*json);
      events.push_back(event);
    }
    return events;
  });
}

Result<std::vector<RunRow>> Store::State::select_runs(std::string_view where, std::string text,
                                                      long long limit) {
  RunColumns run;
  std::vector<RunRow> found;
  soci::statement rows =
      (session.prepare << fmt::format("{}{} ORDER BY started DESC, id DESC LIMIT :limit",
                                      kRunColumns, where),
       into(run.id), into(run.title), into(run.experiment), into(run.started), into(run.state),
       into(run.finished), into(run.verdict), into(run.scores), into(run.sealed_seq),
       into(run.sealed_hash), use(text, "text"), use(limit, "limit"));
  rows.execute();
  while (rows.fetch()) {
    auto row = to_run(run);
    if (!row) return std::unexpected(row.error());
    found.push_back(std::move(*row));
  }
  return found;
}

Result<std::vector<RunRow>> Store::runs(std::size_t limit) {
  if (limit == 0 || limit > 1'000'000)
    return fail(ErrorCode::invalid_input, "the number of runs to list is 1 to 1000000");
  const std::lock_guard lock(state_->mutex);
  return sql::guarded(state_->path, [&] {
    return state_->select_runs("WHERE kind = :text", "run", static_cast<long long>(limit));
  });
}

Result<std::vector<RunRow>> Store::logs() {
  constexpr long long kMost = 1000;
  const std::lock_guard lock(state_->mutex);
  return sql::guarded(state_->path,
                      [&] { return state_->select_runs("WHERE kind = :text", "log", kMost); });
}

Result<RunRow> Store::find_run(std::string_view prefix) {
  const std::string text(prefix);
  if (text.empty()) return fail(ErrorCode::invalid_input, "a run's id is empty; try 'last'");
  const std::lock_guard lock(state_->mutex);
  return sql::guarded(state_->path, [&]() -> Result<RunRow> {
    // A whole id wins over being the prefix of others, and over its meaning "last".
    auto exact = state_->select_runs("WHERE id = :text", text, 1);
    if (!exact) return std::unexpected(exact.error());
    if (!exact->empty()) return std::move(exact->front());
    constexpr long long kNamed = 5;
    auto some =
        text == "last"
            ? state_->select_runs("WHERE kind = 'run' AND :text = 'last'", text, 1)
            : state_->select_runs("WHERE kind = 'run' AND substr(id, 1, length(:text)) = :text",
                                  text, kNamed);
    if (!some) return std::unexpected(some.error());
    if (some->size() == 1) return std::move(some->front());
    if (some->empty())
      return fail(ErrorCode::not_found, text == "last"
                                            ? "the store holds no run yet"
                                            : fmt::format("no run starts with '{}'", text));
    std::string names;
    for (const RunRow& run : *some) names += (names.empty() ? "" : ", ") + run.id;
    return fail(ErrorCode::conflict, fmt::format("several runs start with '{}': {}", text, names));
  });
}

Result<void> Store::export_jsonl(std::string_view run, std::ostream& out) {
  const auto events_of_run = events(run);
  if (!events_of_run) return std::unexpected(events_of_run.error());
  for (const Event& event : *events_of_run) out << to_json(event).dump() << '\n';
  out.flush();
  if (!out) return fail(ErrorCode::io_failed, EIO, fmt::format("export of run '{}' failed", run));
  return {};
}

}  // namespace firedrill
