// CompareOptions: the command line of `ringshift compare`, parsed.
#pragma once

#include <string>
#include <variant>
#include <vector>

#include "base/result.h"
#include "report/mode.h"

namespace ringshift {

struct CompareOptions {
  Workload workload;
  std::vector<std::string> modes;  // ids; empty: all
  struct Import {
    std::string name, file;
  };
  std::vector<Import> imports;
  unsigned runs = 3;
  double timeout_s = 120;
  bool profiles = true;
  std::string json_file, csv_file, html_file, rig_file;
  std::string emulated_folder;     // logs of modes in an emulated machine; empty: none
  std::vector<std::string> words;  // as given, to repeat it
};

// The options, or the help text. args: behind "compare".
Result<std::variant<CompareOptions, std::string>> parse_compare(const std::vector<std::string>& args);

}  // namespace ringshift
