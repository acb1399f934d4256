// Result<T>: a value, or an Error for a person to read. For host and set-up failures; guest faults are
// cpu-model's Outcome<T>.
#pragma once

#include <fmt/core.h>

#include <string>
#include <tl/expected.hpp>
#include <utility>

namespace ringshift {

// What went wrong decides the program's exit status (cli/exit_status.h).
enum class ErrorKind { usage, input_file, engine_unavailable, internal };

struct Error {
  ErrorKind kind;
  std::string message;  // One sentence: what is wrong and what to do.
};

template <class T>
using Result = tl::expected<T, Error>;

// fail(ErrorKind::usage, "-m takes a size, not '{}'", text)
template <class... Args>
tl::unexpected<Error> fail(ErrorKind kind, fmt::format_string<Args...> format, Args&&... args) {
  return tl::unexpected<Error>(Error{kind, fmt::format(format, std::forward<Args>(args)...)});
}

}  // namespace ringshift

// Evaluates to the value of a Result or Outcome, or returns its error from the enclosing function.
#define RS_TRY(expression)                                       \
  ({                                                             \
    auto&& rs_try_result = (expression);                         \
    if (!rs_try_result) [[unlikely]]                             \
      return ::tl::unexpected(std::move(rs_try_result).error()); \
    ::ringshift::detail::take(std::move(rs_try_result));         \
  })

namespace ringshift::detail {
template <class T, class E>
T take(tl::expected<T, E>&& result) {
  if constexpr (!std::is_void_v<T>) return *std::move(result);
}
}  // namespace ringshift::detail
