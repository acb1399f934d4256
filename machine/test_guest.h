// Small guests and backends for the tests of this folder.
#pragma once

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "machine/machine.h"

namespace ringshift::testing {

// A directory that is removed with its files.
class TemporaryDirectory {
 public:
  TemporaryDirectory() {
    std::string pattern = (std::filesystem::temp_directory_path() / "ringshift-test-XXXXXX").string();
    RS_CHECK(::mkdtemp(pattern.data()) != nullptr);
    path_ = pattern;
  }
  ~TemporaryDirectory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  std::string write(const std::string& name, const std::vector<u8>& bytes) const {
    const std::string path = (path_ / name).string();
    std::ofstream file(path, std::ios::binary);
    file.write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
    return path;
  }
  std::string path(const std::string& name) const { return (path_ / name).string(); }

 private:
  std::filesystem::path path_;
};

template <class T>
void append(std::vector<u8>& bytes, T value) {
  const auto* raw = reinterpret_cast<const u8*>(&value);
  bytes.insert(bytes.end(), raw, raw + sizeof value);
}

// A multiboot kernel of this machine code, loaded at 1 MiB and entered at 100020h.
inline std::vector<u8> multiboot_kernel(const std::vector<u8>& code) {
  constexpr u32 kMagic = 0x1badb002;
  constexpr u32 kFlags = 0x10000;
  std::vector<u8> bytes;
  for (const u32 word :
       {kMagic, kFlags, 0 - kMagic - kFlags, u32{0x100000}, u32{0x100000}, u32{0}, u32{0}, u32{0x100020}})
    append(bytes, word);
  bytes.insert(bytes.end(), code.begin(), code.end());
  return bytes;
}

// Machine code that writes `text` to port E9h.
inline std::vector<u8> print_code(const std::string& text) {
  std::vector<u8> code;
  for (const char c : text) code.insert(code.end(), {0xb0, static_cast<u8>(c), 0xe6, 0xe9});  // mov al; out
  return code;
}

// Appends the write of `value` to isa-debug-exit at F4h, and a loop.
inline std::vector<u8> then_exit(std::vector<u8> code, u8 value) {
  code.insert(code.end(), {0xb0, value, 0xe6, 0xf4, 0xeb, 0xfe});
  return code;
}

// Collects what is written; the text outlives the backend, which belongs to the machine.
class CaptureBackend final : public CharBackend {
 public:
  explicit CaptureBackend(std::shared_ptr<std::string> text) : text_(std::move(text)) {}
  void write(std::span<const u8> bytes) override { text_->append(bytes.begin(), bytes.end()); }

 private:
  std::shared_ptr<std::string> text_;
};

// A machine that runs `kernel`, by interp if nothing else is said, and what it prints to E9h and COM1.
struct TestMachine {
  explicit TestMachine(const std::string& kernel, MachineConfig config = {},
                       std::vector<EngineKind> engines = {EngineKind::interp}) {
    config.ram_bytes = u64{16} << 20;
    config.engines = std::move(engines);
    config.boot.kernel = kernel;
    if (!config.debug_exit) config.debug_exit = DebugExitConfig{0xf4, 4};
    auto made = Machine::create(
        config, {std::make_unique<CaptureBackend>(serial), std::make_unique<CaptureBackend>(debug)},
        Tracer{});
    if (made)
      machine = *std::move(made);
    else
      error = std::move(made).error().message;
  }
  std::shared_ptr<std::string> serial = std::make_shared<std::string>();
  std::shared_ptr<std::string> debug = std::make_shared<std::string>();
  std::unique_ptr<Machine> machine;
  std::string error;
};

}  // namespace ringshift::testing
