// The I/O thread's loop.
#include "cli/host_events.h"

#include <fmt/core.h>
#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
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

constexpr int kTakenSignals[] = {SIGINT, SIGTERM, SIGHUP, SIGTSTP, SIGCONT};

// Those that came and wait for take_signals(): a bit each. Signals are the process's, and so is this.
std::atomic<u64> pending_signals{0};

void note_signal(int signal) { pending_signals.fetch_or(u64{1} << signal); }
}  // namespace

// The signals are open only while the I/O thread waits. A signalfd would do the same in fewer lines, but then
// the kernel wakes the thread that polls it at every signal of the process: at each fault of a shadow window.
HostEvents::HostEvents() : wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)), output_(wake_.get()) {
  sigset_t taken;
  sigemptyset(&taken);
  for (const int signal : kTakenSignals) sigaddset(&taken, signal);
  ::pthread_sigmask(SIG_BLOCK, &taken, &waiting_mask_);
  for (const int signal : kTakenSignals) {
    sigdelset(&waiting_mask_, signal);
    struct sigaction action {};
    action.sa_handler = note_signal;
    sigfillset(&action.sa_mask);
    struct sigaction before {};
    RS_CHECK(::sigaction(signal, nullptr, &before) == 0);
    if (before.sa_handler != SIG_IGN) RS_CHECK(::sigaction(signal, &action, nullptr) == 0);  // nohup
  }
  ::signal(SIGPIPE, SIG_IGN);
  RS_CHECK(wake_);
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

int HostEvents::wait_for(std::span<pollfd> fds) const {
  i64 until = output_gathers_ ? now_ns() + OutputQueue::kGatherNs : -1;
  for (const i64 at : {timeout_at_ns_, give_up_at_ns_})
    if (at >= 0 && (until < 0 || at < until)) until = at;
  const i64 left = std::max<i64>(until - now_ns(), 0);
  const timespec timeout{.tv_sec = left / kSecond, .tv_nsec = left % kSecond};
  return ::ppoll(fds.data(), fds.size(), until < 0 ? nullptr : &timeout, &waiting_mask_);
}

void HostEvents::loop() {
  while (!finishing_ || output_.has_output()) {
    const bool reading = input_open_ && !finishing_ && input_outstanding_ < kInputLimit;
    std::array<pollfd, 3> fds{{
        {wake_.get(), POLLIN, 0},
        {reading ? STDIN_FILENO : -1, POLLIN, 0},
        {!output_gathers_ && output_.has_output() ? output_.fd() : -1, POLLOUT, 0},
    }};
    const int ready = wait_for(fds);
    if (output_gathers_) output_.end_gathering();
    output_gathers_ = false;
    take_signals();
    if (ready > 0) {
      if (fds[0].revents != 0) {
        eventfd_t ignored;
        ::eventfd_read(wake_.get(), &ignored);
      }
      if (fds[1].revents != 0) read_input();
      output_gathers_ = fds[2].revents != 0;
      if (output_gathers_) output_.write_some();
    }
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
  const u64 came = pending_signals.exchange(0);
  for (const int signal : kTakenSignals) {
    if ((came & u64{1} << signal) == 0) continue;
    switch (signal) {
      case SIGTSTP:
        restore_terminal();
        ::kill(::getpid(), SIGSTOP);
        break;
      case SIGCONT:
        if (options_.input && !finishing_) enter_raw_terminal();
        break;
      default:
        request_stop(0, signal);
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
