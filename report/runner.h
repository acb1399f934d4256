// Runner: the modes in turn, round after round, so that what else the machine does hits all of them.
#pragma once

#include <functional>

#include "report/comparison.h"
#include "report/iso_image.h"
#include "report/run_result.h"

namespace ringshift {

struct RunnerOptions {
  double timeout_s = 120;  // for a run
  bool profiles = true;    // runs with -stats, after the timed ones
  int interrupt_fd = -1;
  // Logs of modes that ran in an emulated machine: all are shown if one is of a mode that can't run here.
  std::vector<ModeResult> emulated;
  // What goes on; passing: it is only of interest until the next.
  std::function<void(const std::string& what, bool passing)> progress;
};

class Runner {
 public:
  Runner(Comparison& comparison, RunnerOptions options);

  // False: interrupted. What was measured until then is in the comparison.
  bool run();

 private:
  void ask_doctor();
  void exclude_unavailable();
  void add_emulated();
  void prepare_bochs(ModeResult& result);
  bool run_once(ModeResult& result);
  RunRecord start(const ModeResult& result);
  void name_rows();
  bool profile_all();
  void tell(const std::string& what, bool passing = false) const;

  Comparison& comparison_;
  RunnerOptions options_;
  std::optional<TemporaryFolder> folder_;
};

}  // namespace ringshift
