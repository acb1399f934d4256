// The command line.
#include "era-bench/options.h"

namespace {

bool ends_word(char c) { return c == 0 || c == ' '; }

// What follows "KEY=", if the word at text begins with it; else null.
const char* value_of(const char* text, const char* key) {
  for (; *key != 0; ++text, ++key)
    if (*text != *key) return nullptr;
  return *text == '=' ? text + 1 : nullptr;
}

void read_number(const char* text, const char* key, u32 most, u32* to) {
  const char* digits = value_of(text, key);
  if (digits == nullptr) return;
  u32 value = 0;
  for (; *digits >= '0' && *digits <= '9'; ++digits)
    value = value < most ? value * 10 + static_cast<u32>(*digits - '0') : most;
  *to = value == 0 ? 1 : value < most ? value : most;
}

}  // namespace

Options read_options(const char* line) {
  Options options;
  while (*line != 0) {
    read_number(line, "ms", 10000, &options.ms);
    read_number(line, "forks", 1000000, &options.forks);
    read_number(line, "jobs", 100000, &options.jobs);
    const char* rows = value_of(line, "rows");
    if (rows != nullptr) options.rows = rows;
    while (!ends_word(*line)) ++line;
    while (*line == ' ') ++line;
  }
  return options;
}

// A name in the list stands for itself, and for all that begin with it and a dash.
bool is_wanted(const Options& options, const char* name) {
  if (options.rows == nullptr) return true;
  for (const char* word = options.rows;;) {
    const char* rest = name;
    while (*word == *rest && *rest != 0) ++word, ++rest;
    if ((*word == ',' || ends_word(*word)) && (*rest == 0 || *rest == '-')) return true;
    while (*word != ',' && !ends_word(*word)) ++word;
    if (*word != ',') return false;
    ++word;
  }
}
