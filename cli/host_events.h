// HostEvents: the I/O thread: what is typed, signals, the time limit, and the guest's output.
#pragma once

#include <poll.h>
#include <signal.h>

#include <atomic>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "base/unique_fd.h"
#include "cli/escape_parser.h"
#include "cli/output_queue.h"

namespace ringshift {

// What the thread calls, on itself.
struct HostEventHandlers {
  std::function<void(std::vector<u8>)> input;        // bytes for the guest
  std::function<void(const std::string&)> monitor;   // a line typed in the monitor
  std::function<void(int status, int signal)> stop;  // end the machine; signal: 0 for none
};

class HostEvents {
 public:
  struct Options {
    bool input = false;  // read stdin, in raw mode if it is a terminal
    std::optional<double> timeout_seconds;
  };

  // Blocks the signals that the thread takes, in the calling thread and those that it makes later.
  HostEvents();
  ~HostEvents();

  OutputQueue& output() { return output_; }
  void start(const Options& options, HostEventHandlers handlers);
  // Writes out all output, ends the thread and restores the terminal.
  void finish();
  // The guest consumed input, so that there may be room again.
  void input_consumed(std::size_t bytes);

 private:
  static constexpr std::size_t kInputLimit = 4096;
  void loop();
  void read_input();
  void feed(const std::vector<EscapeParser::Item>& items);
  void type_in_monitor(const std::vector<u8>& bytes);
  void take_signals();
  void request_stop(int status, int signal);
  void check_deadlines();
  // ppoll until something is ready, a signal or deadline has come, or gathered output is due.
  int wait_for(std::span<pollfd> fds) const;
  void print(const std::string& text);

  UniqueFd wake_;
  sigset_t waiting_mask_{};  // while the thread waits: the signals that it takes are open
  OutputQueue output_;
  Options options_;
  HostEventHandlers handlers_;
  EscapeParser escapes_;
  bool in_monitor_ = false;
  bool input_open_ = false;
  bool output_gathers_ = false;
  std::string monitor_line_;
  std::atomic<std::size_t> input_outstanding_{0};
  std::atomic<bool> finishing_{false};
  i64 timeout_at_ns_ = -1;
  i64 give_up_at_ns_ = -1;  // a stop was asked for; past this the program ends without the vCPU's consent
  int stop_status_ = 0;
  std::thread thread_;
};

}  // namespace ringshift
