// Opening and writing of output files.
#include "cli/output_files.h"

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "devices/backend/file_backend.h"

namespace ringshift {

Result<std::unique_ptr<CharBackend>> file_output(const CharTarget& target) {
  if (target.kind != CharTarget::Kind::file) return std::make_unique<NullBackend>();
  return std::make_unique<FileBackend>(RS_TRY(FileBackend::create(target.path)));
}

Result<void> check_writable(const std::string& path) {
  if (path.empty()) return {};
  std::FILE* const file = std::fopen(path.c_str(), "ae");
  if (file == nullptr) return fail(ErrorKind::usage, "cannot write to '{}': {}", path, std::strerror(errno));
  std::fclose(file);
  return {};
}

Result<void> write_file(const std::string& path, const std::string& text) {
  if (path.empty()) return {};
  std::FILE* const file = std::fopen(path.c_str(), "we");
  bool good = file != nullptr && std::fwrite(text.data(), 1, text.size(), file) == text.size();
  if (file != nullptr) good = std::fclose(file) == 0 && good;
  if (good) return {};
  return fail(ErrorKind::internal, "cannot write to '{}': {}", path, std::strerror(errno));
}

}  // namespace ringshift
