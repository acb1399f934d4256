// Every instruction that the decoder lets through has a handler.
#include <Zydis/Zydis.h>
#include <gtest/gtest.h>

#include <set>
#include <string>
#include <vector>

#include "cpu-model/interp/handlers.h"

namespace ringshift {
namespace {

// All opcodes of all maps, with each mandatory prefix, and ModRM bytes of memory and register forms.
void for_each_candidate(const auto& visit) {
  static const std::vector<std::vector<u8>> kMaps = {{}, {0x0f}, {0x0f, 0x38}, {0x0f, 0x3a}};
  for (const std::vector<u8>& prefix : {std::vector<u8>{}, {0x66}, {0xf2}, {0xf3}, {0x66, 0xf2}}) {
    for (const std::vector<u8>& map : kMaps) {
      for (unsigned opcode = 0; opcode < 256; ++opcode) {
        for (unsigned modrm = 0; modrm < 256; ++modrm) {
          std::vector<u8> bytes = prefix;
          bytes.insert(bytes.end(), map.begin(), map.end());
          bytes.push_back(static_cast<u8>(opcode));
          bytes.push_back(static_cast<u8>(modrm));
          bytes.resize(15, 0);
          visit(bytes);
        }
      }
    }
  }
}

TEST(Coverage, EveryDecodedInstructionHasAHandler) {
  for (const char* model : {"n270", "pentium3", "core2"}) {
    const CpuidTable cpuid = CpuidTable::create(model).value();
    const Decoder decoder(cpuid);
    std::set<std::string> missing;
    for_each_candidate([&](const std::vector<u8>& bytes) {
      Instruction insn;
      if (decoder.decode(bytes, CodeMode::protected32, insn) != DecodeStatus::ok) return;
      if (handler_table().by_mnemonic[insn.mnemonic] == nullptr)
        missing.insert(ZydisMnemonicGetString(static_cast<ZydisMnemonic>(insn.mnemonic)));
    });
    // These raise #UD, RSM because there is no system-management mode to return from.
    for (const char* undefined : {"ud0", "ud1", "ud2", "rsm"}) missing.erase(undefined);
    for (const std::string& name : missing) ADD_FAILURE() << model << ": no handler for " << name;
  }
}

}  // namespace
}  // namespace ringshift
