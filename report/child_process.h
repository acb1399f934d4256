// ChildProcess: runs a program to its end, a text, or a time limit, and gives what it wrote.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace ringshift {

struct ChildRequest {
  std::vector<std::string> command;  // a path, or a name to be found in PATH
  double timeout_s = 60;
  // A guest's serial port: standard output, or a descriptor of its own (3) for programs whose output is a
  // screen.
  bool serial_is_fd3 = false;
  bool kill_at_once = false;  // for a program that takes SIGTERM for less than it is
  double linger_s = 0;        // how long it may go on after enough was seen
  // Sees each line of the serial port as it ends, with the seconds since the start; false: that is enough.
  std::function<bool(std::string_view line, double seconds)> on_line;
  int interrupt_fd = -1;  // readable: give up (a signalfd)
};

struct ChildOutcome {
  enum class Kind { exited, signalled, timed_out, ended, interrupted, not_started };
  Kind kind = Kind::not_started;
  int status = 0;              // exit status, or signal
  std::string serial, errors;  // each cut off at 1 MiB
  double wall_s = 0;

  // "status 3", "timed out after 60 s", ... and the last line of the errors.
  std::string describe() const;
};

// The child's standard input is empty. It dies with this process, and is ended by its pid.
ChildOutcome run_child(const ChildRequest& request);

}  // namespace ringshift
