// The I/O thread's loop.
#include "cli/host_events.h"

#include <fmt/core.h>
#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "base/check.h"
#include "base/host_clock.h"
#include "base/messages.h"
#include "cli/exit_status.h"
#include "cli/terminal.h"

namespace ringshift {

namespace {
constexpr i64 kSecond = 1'000'000'000;
constexpr i64 kPatience = 3 * kSecond;

i64 now_ns() { return static_cast<i64>(host_clock_ns()); }

sigset_t taken_signals() {
  sigset_t set;
  sigemptyset(&set);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGTSTP, SIGCONT}) sigaddset(&set, signal);
  return set;
}
}  // namespace

HostEvents::HostEvents() : wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)), output_(wake_.get()) {
  const sigset_t set = taken_signals();
  ::pthread_sigmask(SIG_BLOCK, &set, nullptr);
  ::signal(SIGPIPE, SIG_IGN);
  signals_ = UniqueFd(::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
  RS_CHECK(wake_ && signals_);
}

HostEvents::~HostEvents() { finish(); }

void HostEvents::start(const Options& options, HostEventHandlers handlers) {
  options_ = options;
  handlers_ = std::move(handlers);
  input_open_ = options.input;
  if (options.timeout_seconds)
    timeout_at_ns_ = now_ns() + static_cast<i64>(*options.timeout_seconds * static_cast<double>(kSecond));
  if (options.input) enter_raw_terminal();
  thread_ = std::thread([this] { loop(); });
}

void HostEvents::finish() {
  if (!thread_.joinable()) return;
  finishing_ = true;
  output_.close();
  ::eventfd_write(wake_.get(), 1);
  thread_.join();
  restore_terminal();
}

void HostEvents::input_consumed(std::size_t bytes) {
  const std::size_t before = input_outstanding_.fetch_sub(bytes);
  if (before >= kInputLimit && before - bytes < kInputLimit) ::eventfd_write(wake_.get(), 1);
}

int HostEvents::poll_timeout_ms() const {
  i64 until = -1;
  for (const i64 at : {timeout_at_ns_, give_up_at_ns_})
    if (at >= 0 && (until < 0 || at < until)) until = at;
  if (until < 0) return -1;
  const i64 left = std::max<i64>(until - now_ns(), 0);
  return static_cast<int>(std::min<i64>(left / 1'000'000 + 1, 3'600'000));
}

void HostEvents::loop() {
  while (!finishing_ || output_.has_output()) {
    const bool reading = input_open_ && !finishing_ && input_outstanding_ < kInputLimit;
    std::array<pollfd, 4> fds{{
        {wake_.get(), POLLIN, 0},
        {signals_.get(), POLLIN, 0},
        {reading ? STDIN_FILENO : -1, POLLIN, 0},
        {output_.has_output() ? output_.fd() : -1, POLLOUT, 0},
    }};
    if (::poll(fds.data(), fds.size(), poll_timeout_ms()) < 0) continue;
    if (fds[0].revents != 0) {
      eventfd_t ignored;
      ::eventfd_read(wake_.get(), &ignored);
    }
    if (fds[1].revents != 0) take_signals();
    if (fds[2].revents != 0) read_input();
    if (fds[3].revents != 0) output_.write_some();
    check_deadlines();
  }
}

void HostEvents::check_deadlines() {
  const i64 now = now_ns();
  if (timeout_at_ns_ >= 0 && now >= timeout_at_ns_) {
    timeout_at_ns_ = -1;
    if (!finishing_) request_stop(kExitTimeout, 0);
  }
  if (give_up_at_ns_ < 0 || now < give_up_at_ns_) return;
  // Either the vCPU doesn't come back, or stdout doesn't take the rest.
  restore_terminal();
  if (!finishing_) tell("the virtual CPU did not stop; leaving without it");
  ::_exit(stop_status_);
}

void HostEvents::request_stop(int status, int signal) {
  if (give_up_at_ns_ < 0) give_up_at_ns_ = now_ns() + kPatience;
  stop_status_ = signal != 0 ? 128 + signal : status;
  output_.close();
  handlers_.stop(status, signal);
}

void HostEvents::take_signals() {
  signalfd_siginfo info;
  while (::read(signals_.get(), &info, sizeof info) == static_cast<ssize_t>(sizeof info)) {
    switch (info.ssi_signo) {
      case SIGTSTP:
        restore_terminal();
        ::kill(::getpid(), SIGSTOP);
        break;
      case SIGCONT:
        if (options_.input && !finishing_) enter_raw_terminal();
        break;
      default:
        request_stop(0, static_cast<int>(info.ssi_signo));
    }
  }
}

void HostEvents::read_input() {
  std::array<u8, 256> buffer;
  const ssize_t got = ::read(STDIN_FILENO, buffer.data(), buffer.size());
  if (got < 0 && (errno == EINTR || errno == EAGAIN)) return;
  if (got <= 0) {
    input_open_ = false;  // the end of a piped script: the machine runs on
    return;
  }
  feed(escapes_.parse({buffer.data(), static_cast<std::size_t>(got)}));
}

void HostEvents::feed(const std::vector<EscapeParser::Item>& items) {
  for (const EscapeParser::Item& item : items) {
    switch (item.command) {
      case EscapeCommand::quit:
        request_stop(kExitSuccess, 0);
        break;
      case EscapeCommand::help:
        print(kEscapeHelp);
        break;
      case EscapeCommand::monitor:
        in_monitor_ = !in_monitor_;
        monitor_line_.clear();
        print(in_monitor_ ? "\nRingshift monitor; 'help' lists commands, Ctrl-A C goes back\n(ringshift) "
                          : "\n");
        break;
      case EscapeCommand::none:
        if (in_monitor_) {
          type_in_monitor(item.bytes);
        } else {
          input_outstanding_ += item.bytes.size();
          handlers_.input(item.bytes);
        }
    }
  }
}

void HostEvents::type_in_monitor(const std::vector<u8>& bytes) {
  constexpr std::size_t kLongestLine = 256;
  for (const u8 byte : bytes) {
    if (byte == '\r' || byte == '\n') {
      print("\n");
      handlers_.monitor(monitor_line_);
      monitor_line_.clear();
    } else if (byte == 0x7f || byte == '\b') {
      if (monitor_line_.empty()) continue;
      monitor_line_.pop_back();
      print("\b \b");
    } else if (byte >= ' ' && monitor_line_.size() < kLongestLine) {
      monitor_line_.push_back(static_cast<char>(byte));
      print(std::string(1, static_cast<char>(byte)));
    }
  }
}

void HostEvents::print(const std::string& text) {
  output_.put_now({reinterpret_cast<const u8*>(text.data()), text.size()});
}

}  // namespace ringshift
