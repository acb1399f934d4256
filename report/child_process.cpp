// Pipes, deadlines, and ending a child.
#include "report/child_process.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <string_view>

#include "base/host_clock.h"
#include "base/unique_fd.h"
#include "report/guest_log.h"

namespace ringshift {

namespace {
constexpr std::size_t kMostBytes = 1 << 20;
constexpr int kTickMs = 50;
constexpr double kGraceSeconds = 2;

double now_s() { return static_cast<double>(host_clock_ns()) * 1e-9; }

struct Pipe {
  UniqueFd read, write;
  static Pipe make() {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) return {};
    return {UniqueFd(ends[0]), UniqueFd(ends[1])};
  }
};

// One of the child's outputs: read until it ends, kept up to a limit.
struct Stream {
  UniqueFd fd;
  std::string text;
  std::size_t seen = 0;  // up to where lines were given away

  // False at its end.
  bool read_some() {
    std::array<char, 16384> buffer;
    const ssize_t got = ::read(fd.get(), buffer.data(), buffer.size());
    if (got < 0 && (errno == EINTR || errno == EAGAIN)) return true;
    if (got <= 0) return fd.reset(), false;
    text.append(buffer.data(), std::min(static_cast<std::size_t>(got), kMostBytes - text.size()));
    return true;
  }
};

// In the child, between fork and exec: async-signal-safe calls alone.
[[noreturn]] void become(char* const* arguments, int out, int err, int serial, pid_t parent) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) ::_exit(126);
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  const int null = ::open("/dev/null", O_RDONLY);
  // The pipes' numbers are above 3, or dup2 would overwrite one (run_child sees to it).
  ::dup2(null, 0);
  ::dup2(out, 1);
  ::dup2(err, 2);
  if (serial >= 0) ::dup2(serial, 3);
  // execvp would give what the kernel doesn't know to a shell.
  if (std::strchr(arguments[0], '/') != nullptr)
    ::execv(arguments[0], arguments);
  else
    ::execvp(arguments[0], arguments);
  static constexpr std::string_view kText = "cannot be started\n";
  static constexpr std::string_view kUnknown =
      "cannot be started: this host runs no such programs (32-bit ones?)\n";
  const std::string_view text = errno == ENOEXEC ? kUnknown : kText;
  [[maybe_unused]] const ssize_t ignored = ::write(2, text.data(), text.size());
  ::_exit(127);
}

UniqueFd above_three(UniqueFd fd) { return UniqueFd(::fcntl(fd.get(), F_DUPFD_CLOEXEC, 10)); }

class Child {
 public:
  explicit Child(const ChildRequest& request) : request_(request) {}

  ChildOutcome run() {
    begun_ = now_s();
    if (!start()) return std::move(outcome_);
    watch();
    finish();
    outcome_.wall_s = now_s() - begun_;
    outcome_.serial = std::move(streams_[request_.serial_is_fd3 ? 2 : 0].text);
    outcome_.errors = std::move(streams_[1].text);
    return std::move(outcome_);
  }

 private:
  bool start() {
    Pipe out = Pipe::make(), err = Pipe::make(), serial = Pipe::make();
    if (!out.read || !err.read || !serial.read) return false;
    const UniqueFd ends[] = {above_three(std::move(out.write)), above_three(std::move(err.write)),
                             above_three(std::move(serial.write))};
    std::vector<char*> arguments;
    for (const std::string& word : request_.command) arguments.push_back(const_cast<char*>(word.c_str()));
    arguments.push_back(nullptr);
    const pid_t parent = ::getpid();
    pid_ = ::fork();
    if (pid_ < 0) return false;
    if (pid_ == 0)
      become(arguments.data(), ends[0].get(), ends[1].get(), request_.serial_is_fd3 ? ends[2].get() : -1,
             parent);
    streams_[0].fd = std::move(out.read);
    streams_[1].fd = std::move(err.read);
    streams_[2].fd = std::move(serial.read);
    return true;
  }

  // Reads until the child has ended or must end.
  void watch() {
    const double deadline = begun_ + request_.timeout_s;
    for (;;) {
      poll_once(kTickMs);
      if (!give_lines()) return set(ChildOutcome::Kind::ended, 0);
      if (interrupted_) return set(ChildOutcome::Kind::interrupted, 0);
      if (reap(WNOHANG)) return;
      if (now_s() > deadline) return set(ChildOutcome::Kind::timed_out, 0);
    }
  }

  void poll_once(int milliseconds) {
    pollfd polled[4];
    for (int i = 0; i < 3; ++i) polled[i] = {streams_[i].fd.get(), POLLIN, 0};
    polled[3] = {request_.interrupt_fd, POLLIN, 0};
    if (::poll(polled, 4, milliseconds) <= 0) return;
    for (int i = 0; i < 3; ++i)
      if (polled[i].fd >= 0 && polled[i].revents != 0) streams_[i].read_some();
    interrupted_ = interrupted_ || polled[3].revents != 0;
  }

  // False: the caller has seen enough.
  bool give_lines() {
    Stream& serial = streams_[request_.serial_is_fd3 ? 2 : 0];
    for (;;) {
      const auto end = serial.text.find('\n', serial.seen);
      if (end == std::string::npos) return true;
      const std::string_view line = std::string_view(serial.text).substr(serial.seen, end - serial.seen);
      serial.seen = end + 1;
      if (request_.on_line && !request_.on_line(line, now_s() - begun_)) return false;
    }
  }

  void set(ChildOutcome::Kind kind, int status) {
    outcome_.kind = kind;
    outcome_.status = status;
  }

  bool reap(int options) {
    int status = 0;
    if (pid_ == 0 || ::waitpid(pid_, &status, options) != pid_) return false;
    pid_ = 0;
    if (outcome_.kind != ChildOutcome::Kind::not_started) return true;
    if (WIFEXITED(status))
      set(ChildOutcome::Kind::exited, WEXITSTATUS(status));
    else
      set(ChildOutcome::Kind::signalled, WTERMSIG(status));
    return true;
  }

  // Ends the child if it runs, and reads what is left in the pipes.
  void finish() {
    const double lingering = now_s() + (outcome_.kind == ChildOutcome::Kind::ended ? request_.linger_s : 0);
    while (pid_ != 0 && now_s() < lingering && !reap(WNOHANG)) poll_once(kTickMs);
    if (pid_ != 0) ::kill(pid_, request_.kill_at_once ? SIGKILL : SIGTERM);
    const double deadline = now_s() + kGraceSeconds;
    while (pid_ != 0 && now_s() < deadline && !reap(WNOHANG)) poll_once(kTickMs);
    if (pid_ != 0) ::kill(pid_, SIGKILL), reap(0);
    // A pipe that a grandchild holds never ends: nothing is waited for.
    for (Stream& stream : streams_)
      while (stream.fd) {
        pollfd polled{stream.fd.get(), POLLIN, 0};
        if (::poll(&polled, 1, 0) <= 0 || !stream.read_some()) break;
      }
    give_lines();
  }

  const ChildRequest& request_;
  ChildOutcome outcome_;
  Stream streams_[3];  // output, errors, descriptor 3
  pid_t pid_ = 0;
  double begun_ = 0;
  bool interrupted_ = false;
};

std::string last_line(std::string_view text) {
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) text.remove_suffix(1);
  const auto begin = text.rfind('\n');
  return printable(begin == std::string_view::npos ? text : text.substr(begin + 1), 300);
}
}  // namespace

std::string ChildOutcome::describe() const {
  const std::string said = last_line(errors);
  const std::string tail = said.empty() ? "" : ": " + said;
  switch (kind) {
    case Kind::exited:
      return fmt::format("status {}{}", status, tail);
    case Kind::signalled:
      return fmt::format("ended by signal {} ({}){}", status, ::strsignal(status), tail);
    case Kind::timed_out:
      return fmt::format("no end after {:.0f} s{}", wall_s, tail);
    case Kind::interrupted:
      return "interrupted";
    case Kind::ended:
      return "ended";
    case Kind::not_started:
      break;
  }
  return "cannot be started";
}

ChildOutcome run_child(const ChildRequest& request) { return Child(request).run(); }

}  // namespace ringshift
