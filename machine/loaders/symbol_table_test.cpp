// Symbols from ELF files and System.maps, well-formed and not.
#include "machine/loaders/symbol_table.h"

#include <elf.h>
#include <gtest/gtest.h>

#include <cstring>
#include <fstream>

namespace ringshift {
namespace {

using namespace std::string_literals;

class SymbolTableTest : public ::testing::Test {
 protected:
  std::string write(const std::string& bytes) {
    const std::string path =
        ::testing::TempDir() + "symbols-" + ::testing::UnitTest::GetInstance()->current_test_info()->name();
    std::ofstream(path, std::ios::binary) << bytes;
    return path;
  }
  // An ELF with sections: null, code, symbols, names.
  static std::string elf(std::vector<Elf32_Sym> symbols, const std::string& names) {
    Elf32_Ehdr header{};
    std::memcpy(header.e_ident, ELFMAG, SELFMAG);
    header.e_ident[EI_CLASS] = ELFCLASS32;
    header.e_shentsize = sizeof(Elf32_Shdr);
    header.e_shnum = 4;
    header.e_shoff = sizeof header;
    Elf32_Shdr sections[4] = {};
    sections[1].sh_flags = SHF_EXECINSTR;
    const u32 at = sizeof header + sizeof sections;
    const u32 size = static_cast<u32>(symbols.size() * sizeof(Elf32_Sym));
    sections[2].sh_type = SHT_SYMTAB;
    sections[2].sh_offset = at;
    sections[2].sh_size = size;
    sections[2].sh_link = 3;
    sections[3].sh_type = SHT_STRTAB;
    sections[3].sh_offset = at + size;
    sections[3].sh_size = static_cast<u32>(names.size());
    std::string bytes(reinterpret_cast<const char*>(&header), sizeof header);
    bytes.append(reinterpret_cast<const char*>(sections), sizeof sections);
    bytes.append(reinterpret_cast<const char*>(symbols.data()), size);
    return bytes + names;
  }
  static Elf32_Sym symbol(u32 name, u32 address, u32 size, unsigned type, u16 section = 1) {
    return {name, address, size, static_cast<unsigned char>(ELF32_ST_INFO(STB_GLOBAL, type)), 0, section};
  }
};

const std::string kNames = "\0isPrime\0label\0_ZN4call3oneEv\0data\0"s;

TEST_F(SymbolTableTest, FunctionsAndLabelsOfAnElf) {
  const auto table =
      SymbolTable::of_elf(write(elf({symbol(1, 0x1000, 0x20, STT_FUNC), symbol(9, 0x1008, 0, STT_NOTYPE),
                                     symbol(15, 0x1040, 0x10, STT_FUNC), symbol(9, 0x1060, 0, STT_NOTYPE),
                                     symbol(31, 0x1044, 4, STT_OBJECT)},
                                    kNames)))
          .value();
  EXPECT_EQ(table.size(), 3u);
  EXPECT_EQ(table.describe(0x1000), "isPrime");
  EXPECT_EQ(table.describe(0x1008), "isPrime+0x8");  // a label inside doesn't hide the function
  EXPECT_EQ(table.describe(0x1020), "");
  EXPECT_EQ(table.describe(0x1041), "call::one+0x1");
  EXPECT_EQ(table.describe(0x1070), "label+0x10");
  ASSERT_NE(table.named("call::one"), nullptr);
  EXPECT_EQ(table.named("_ZN4call3oneEv"), table.named("call::one"));
  EXPECT_EQ(table.named("other"), nullptr);
}

TEST_F(SymbolTableTest, HostileElfs) {
  const std::string good = elf({symbol(1, 0x1000, 0x20, STT_FUNC)}, kNames);
  EXPECT_TRUE(SymbolTable::of_elf(write(elf({symbol(1'000'000, 0, 1, STT_FUNC)}, kNames)))->empty());
  EXPECT_TRUE(SymbolTable::of_elf(write(elf({symbol(1, 0, 1, STT_FUNC, 0xfff1)}, kNames)))->empty());
  EXPECT_TRUE(SymbolTable::of_elf(write("no ELF at all"))->empty());
  for (std::size_t length = 52; length < good.size(); length += 3) {
    const auto cut = SymbolTable::of_elf(write(good.substr(0, length)));
    EXPECT_FALSE(cut) << length;
  }
  for (std::size_t at = sizeof(Elf32_Ehdr); at < good.size() - kNames.size(); ++at) {
    std::string changed = good;
    changed[at] = '\xff';
    (void)SymbolTable::of_elf(write(changed));  // whatever it says, without a crash
  }
  const std::string unterminated = elf({symbol(1, 0x1000, 4, STT_FUNC)}, "\0abc" + std::string(1, 'd'));
  EXPECT_TRUE(SymbolTable::of_elf(write(unterminated)).has_value());
}

TEST_F(SymbolTableTest, SystemMap) {
  const auto table = SymbolTable::of_file(write("c1000000 T _text\nc1000010 t start\nc1000020 D jiffies\n"
                                                "nonsense\nc1000030 W weak\n"))
                         .value();
  EXPECT_EQ(table.size(), 3u);
  EXPECT_EQ(table.describe(0xc1000018), "start+0x8");
  EXPECT_EQ(table.describe(0xc1000025), "start+0x15");  // sizes aren't known
  EXPECT_FALSE(SymbolTable::of_file(write("nothing here\n")));
}

}  // namespace
}  // namespace ringshift
