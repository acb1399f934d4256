// Texts that are safe where they are written: numbers for people, and escapes for HTML, script and CSV.
//
// Names and reasons come from guests and imported logs. Whatever they hold, they must end where they were
// put.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace ringshift {

// Three digits and a unit: "0.30 ns", "240 ns", "5.92 us", "1.24 ms", "3.20 s".
std::string time_text(double ns);
// "0.04", "1.31", "12.4", "530": a ratio with three digits.
std::string ratio_text(double ratio);

// "3%"; what is beyond measure is ">999%".
std::string percent_text(double part);

std::string html_escaped(std::string_view text);
// JSON that can stand in a <script>: no "<", ">" or "&" in it, and nothing that isn't UTF-8.
std::string script_json(const nlohmann::ordered_json& json);
// One field; a text that a spreadsheet would take for a formula is made one that it doesn't.
std::string csv_field(std::string_view text);
// A command line that a POSIX shell reads as these words.
std::string shell_line(const std::vector<std::string>& words);

}  // namespace ringshift
