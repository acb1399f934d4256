// The command line: values, defaults, one dash or two, and every kind of mistake.
#include "cli/options.h"

#include <gtest/gtest.h>

namespace ringshift {
namespace {

Result<RunOptions> parse(std::vector<std::string> args) {
  args.insert(args.begin(), "run");
  const Command command = RS_TRY(parse_command_line(args));
  return std::get<RunOptions>(command);
}

std::string usage_error(const std::vector<std::string>& args) {
  const auto result = parse(args);
  if (result) {
    ADD_FAILURE() << "was accepted";
    return {};
  }
  EXPECT_EQ(result.error().kind, ErrorKind::usage);
  return result.error().message;
}

TEST(OptionsTest, Defaults) {
  const auto options = parse({"-kernel", "k"});
  ASSERT_TRUE(options) << options.error().message;
  EXPECT_EQ(options->machine.ram_bytes, 128u << 20);
  EXPECT_EQ(options->machine.engines, std::vector{EngineKind::bt});
  EXPECT_EQ(options->machine.bt_memory, BtMemory::automatic);
  EXPECT_EQ(options->serial.kind, CharTarget::Kind::stdio);
  EXPECT_EQ(options->stats, StatsFormat::none);
  EXPECT_FALSE(options->machine.no_reboot);
  EXPECT_FALSE(options->debugcon);
  EXPECT_FALSE(options->timeout_seconds);
  EXPECT_FALSE(options->machine.icount_shift);
}

TEST(OptionsTest, Engines) {
  EXPECT_EQ(parse({"-kernel", "k", "-engine", "kvm"})->machine.engines, std::vector{EngineKind::kvm});
  EXPECT_FALSE(parse({"-kernel", "k", "-engine", "kvm"})->automatic_engine);
  EXPECT_TRUE(parse({"-kernel", "k", "-engine", "auto"})->automatic_engine);
  EXPECT_FALSE(parse({"-kernel", "k", "-engine", "qemu"}));
}

TEST(OptionsTest, Doctor) {
  const auto json = parse_command_line({"doctor", "--json"});
  ASSERT_TRUE(json && std::holds_alternative<DoctorOptions>(*json));
  EXPECT_TRUE(std::get<DoctorOptions>(*json).json);
  EXPECT_FALSE(parse_command_line({"doctor", "--yaml"}));
  const auto help = parse_command_line({"doctor", "--help"});
  ASSERT_TRUE(help && std::holds_alternative<std::string>(*help));
  EXPECT_NE(std::get<std::string>(*help).find("--json"), std::string::npos);
}

TEST(OptionsTest, EverythingWithOneDash) {
  const auto options =
      parse({"-m",         "256",         "-kernel",    "k",
             "-initrd",    "i",           "-append",    "console=ttyS0",
             "-engine",    "interp",      "-serial",    "file:/tmp/x",
             "-nographic", "-debugcon",   "stdio",      "-no-reboot",
             "-timeout",   "2.5",         "-device",    "isa-debug-exit,iobase=0xf4,iosize=4",
             "-d",         "int,io",      "-D",         "log",
             "-stats",     "json:s.json", "-cpu",       "core2",
             "-icount",    "shift=3",     "-bt-memory", "soft",
             "-bt-cache",  "8M"});
  ASSERT_TRUE(options) << options.error().message;
  EXPECT_EQ(options->machine.ram_bytes, 256u << 20);
  EXPECT_EQ(options->machine.boot.initrd, "i");
  EXPECT_EQ(options->machine.engines, std::vector{EngineKind::interp});
  EXPECT_EQ(options->serial.kind, CharTarget::Kind::file);
  EXPECT_EQ(options->serial.path, "/tmp/x");
  EXPECT_EQ(options->debugcon->kind, CharTarget::Kind::stdio);
  EXPECT_TRUE(options->machine.no_reboot);
  EXPECT_DOUBLE_EQ(*options->timeout_seconds, 2.5);
  EXPECT_EQ(options->machine.debug_exit->iobase, 0xf4);
  EXPECT_EQ(options->machine.debug_exit->iosize, 4u);
  EXPECT_EQ(options->trace_words, "int,io");
  EXPECT_EQ(options->trace_file, "log");
  EXPECT_EQ(options->stats, StatsFormat::json);
  EXPECT_EQ(options->stats_file, "s.json");
  EXPECT_EQ(options->machine.cpu_model, "core2");
  EXPECT_EQ(*options->machine.icount_shift, 3u);
  EXPECT_EQ(options->machine.bt_memory, BtMemory::soft);
  EXPECT_EQ(options->machine.bt_cache_bytes, 8u << 20);
}

TEST(OptionsTest, SetsOfEngines) {
  const auto options =
      parse({"-kernel", "k", "-engine", "interp,bt", "-engine-switch", "every:100ms,bt,interp:50us"});
  ASSERT_TRUE(options) << options.error().message;
  EXPECT_EQ(options->machine.engines, (std::vector{EngineKind::interp, EngineKind::bt}));
  const EngineTurns& turns = *options->machine.engine_turns;
  EXPECT_FALSE(turns.counted);
  ASSERT_EQ(turns.turns.size(), 2u);
  EXPECT_EQ(turns.turns[0].engine, "bt");
  EXPECT_EQ(turns.turns[0].length, 100'000'000u);
  EXPECT_EQ(turns.turns[1].engine, "interp");
  EXPECT_EQ(turns.turns[1].length, 50'000u);
  const auto counted =
      parse({"-kernel", "k", "-engine", "bt,interp", "-engine-switch", "every:7i,bt,interp"});
  ASSERT_TRUE(counted);
  EXPECT_TRUE(counted->machine.engine_turns->counted);
  EXPECT_EQ(counted->machine.engine_turns->turns[1].length, 7u);
  for (const char* wrong : {"", "bt,", ",bt", "bt,bt", "kvm2", "bt,,interp", "BT"})
    usage_error({"-kernel", "k", "-engine", wrong});
  for (const char* wrong :
       {"100ms,bt,interp", "every:,bt,interp", "every:0ms,bt,interp", "every:1,bt,interp", "every:1ms",
        "every:1ms,bt", "every:1ms,bt,interp:5i", "every:-1ms,bt,interp", "every:1h,bt,interp",
        "every:99999999999999999999s,bt,interp", "every:999999s,bt,interp"})
    usage_error({"-kernel", "k", "-engine", "bt,interp", "-engine-switch", wrong});
}

TEST(OptionsTest, Monitor) {
  EXPECT_EQ(parse({"-kernel", "k"})->monitor_path, "");
  EXPECT_EQ(parse({"-kernel", "k", "-monitor", "unix:/tmp/m"})->monitor_path, "/tmp/m");
  EXPECT_EQ(parse({"-kernel", "k", "-monitor", "unix:/tmp/m,server,nowait"})->monitor_path, "/tmp/m");
  EXPECT_EQ(parse({"-kernel", "k", "-monitor", "unix:m,server=on,wait=off"})->monitor_path, "m");
  EXPECT_EQ(parse({"-kernel", "k", "-monitor", "none"})->monitor_path, "");
  for (const char* wrong : {"", "unix:", "unix:,server", "stdio", "tcp:localhost:1"})
    usage_error({"-kernel", "k", "-monitor", wrong});
}

TEST(OptionsTest, Lockstep) {
  const auto lockstep = [](std::vector<std::string> args) -> Result<LockstepCommand> {
    args.insert(args.begin(), {"lockstep", "-kernel", "k"});
    const Command command = RS_TRY(parse_command_line(args));
    return std::get<LockstepCommand>(command);
  };
  const auto usual = lockstep({});
  ASSERT_TRUE(usual) << usual.error().message;
  EXPECT_EQ(usual->run.machine.engines, (std::vector{EngineKind::bt, EngineKind::interp}));
  EXPECT_EQ(usual->run.machine.icount_shift, 3u);
  EXPECT_EQ(usual->every, 1'000'000u);
  EXPECT_FALSE(usual->limit);
  const auto other = lockstep({"-every", "7", "-limit", "99", "-icount", "shift=1", "-serial", "file:s"});
  ASSERT_TRUE(other) << other.error().message;
  EXPECT_EQ(other->every, 7u);
  EXPECT_EQ(other->limit, 99u);
  EXPECT_EQ(other->run.machine.icount_shift, 1u);
  for (const std::vector<std::string>& wrong : std::vector<std::vector<std::string>>{{"-every", "0"},
                                                                                     {"-every", "x"},
                                                                                     {"-limit", "0"},
                                                                                     {"-engine", "bt"},
                                                                                     {"-d", "int"},
                                                                                     {"-stats"},
                                                                                     {"-timeout", "3"}})
    EXPECT_FALSE(lockstep(wrong)) << wrong[0];
  usage_error({"-kernel", "k", "-every", "7"});
  EXPECT_NE(lockstep({"-engine", "bt,trap"}).error().message.find("trap cannot count"), std::string::npos);
  for (const char* engines : {"bt,kvm", "interp,kvm", "kvm,interp"}) {
    const auto with_kvm = lockstep({"-engine", engines});
    ASSERT_TRUE(with_kvm) << with_kvm.error().message;
    EXPECT_EQ(with_kvm->every, 1000u);
  }
  EXPECT_EQ(lockstep({"-engine", "bt,kvm", "-every", "7"})->every, 7u);
}

TEST(OptionsTest, TwoDashesAndEqualsSigns) {
  const auto options = parse({"--kernel=k", "--m", "1G", "-append=a=b c", "--engine", "interp"});
  ASSERT_TRUE(options) << options.error().message;
  EXPECT_EQ(options->machine.boot.kernel, "k");
  EXPECT_EQ(options->machine.boot.append, "a=b c");
  EXPECT_EQ(options->machine.ram_bytes, u64{1} << 30);
}

TEST(OptionsTest, ValuesMayLookLikeOptionsOrBeEmpty) {
  auto options = parse({"-append", "-kernel --foo", "-kernel", "k"});
  ASSERT_TRUE(options) << options.error().message;
  EXPECT_EQ(options->machine.boot.append, "-kernel --foo");
  options = parse({"-append", "", "-kernel", "k"});
  ASSERT_TRUE(options) << options.error().message;
  EXPECT_EQ(options->machine.boot.append, "");
  options = parse({"-kernel", "k", "-append="});
  ASSERT_TRUE(options) << options.error().message;
}

TEST(OptionsTest, TheLastOfSeveralCounts) {
  const auto options = parse({"-kernel", "a", "-m", "64", "-kernel", "b", "-m", "96"});
  ASSERT_TRUE(options) << options.error().message;
  EXPECT_EQ(options->machine.boot.kernel, "b");
  EXPECT_EQ(options->machine.ram_bytes, 96u << 20);
}

TEST(OptionsTest, StatsValueIsOptional) {
  for (const auto& args : std::vector<std::vector<std::string>>{
           {"-stats", "-kernel", "k"}, {"-kernel", "k", "-stats"}, {"-kernel", "k", "-stats", "human"}}) {
    const auto options = parse(args);
    ASSERT_TRUE(options) << options.error().message;
    EXPECT_EQ(options->stats, StatsFormat::human);
  }
}

TEST(OptionsTest, VerifyReachesTheEngine) {
  const auto options = parse({"-kernel", "k", "-d", "verify"});
  ASSERT_TRUE(options);
  EXPECT_TRUE(options->machine.bt_verify);
  EXPECT_EQ(options->machine.bt_verify_part, 1u);
  const auto part = parse({"-kernel", "k", "-d", "verify", "-bt-verify-part", "50"});
  ASSERT_TRUE(part);
  EXPECT_EQ(part->machine.bt_verify_part, 50u);
  EXPECT_FALSE(usage_error({"-kernel", "k", "-bt-verify-part", "50"}).empty());
  EXPECT_FALSE(usage_error({"-kernel", "k", "-engine", "interp", "-d", "verify"}).empty());
}

TEST(OptionsTest, Mistakes) {
  EXPECT_NE(usage_error({}).find("-kernel"), std::string::npos);
  EXPECT_NE(usage_error({"-frobnicate"}).find("-frobnicate"), std::string::npos);
  EXPECT_NE(usage_error({"-kernel"}).find("needs a value"), std::string::npos);
  EXPECT_NE(usage_error({"linux"}).find("linux"), std::string::npos);
  EXPECT_NE(usage_error({"-kernel", "k", "-nographic=1"}).find("no value"), std::string::npos);
  for (const auto& [option, value] :
       std::vector<std::pair<std::string, std::string>>{{"-m", "lots"},
                                                        {"-m", ""},
                                                        {"-m", "0"},
                                                        {"-m", "64G"},
                                                        {"-m", "-5"},
                                                        {"-m", "1025K"},
                                                        {"-m", "99999999999999999999"},
                                                        {"-engine", "qemu"},
                                                        {"-serial", "com9"},
                                                        {"-serial", "file:"},
                                                        {"-debugcon", ""},
                                                        {"-device", "e1000"},
                                                        {"-device", ""},
                                                        {"-device", "isa-debug-exit,iobase=0x10000"},
                                                        {"-device", "isa-debug-exit,iosize=3"},
                                                        {"-device", "isa-debug-exit,iobase=0xffff,iosize=4"},
                                                        {"-timeout", "0"},
                                                        {"-timeout", "-1"},
                                                        {"-timeout", "soon"},
                                                        {"-timeout", "nan"},
                                                        {"-d", "everything"},
                                                        {"-d", "sensitive"},
                                                        {"-D", ""},
                                                        {"-initrd", ""},
                                                        {"-stats", "xml"},
                                                        {"-stats", "json:"},
                                                        {"-icount", "shift=99"},
                                                        {"-icount", "auto"},
                                                        {"-bt-memory", "x"},
                                                        {"-bt-cache", "7T"},
                                                        {"-bt-verify-part", "0"},
                                                        {"-bt-verify-part", "-1"},
                                                        {"-bt-verify-part", "2x"}})
    EXPECT_FALSE(usage_error({"-kernel", "k", option, value}).empty()) << option << " " << value;
}

TEST(OptionsTest, HelpAndVersion) {
  for (const auto& args : std::vector<std::vector<std::string>>{
           {"--help"}, {"-h"}, {"run", "--help"}, {"run", "-help"}, {"run", "-h"}, {"--version"}}) {
    const auto command = parse_command_line(args);
    ASSERT_TRUE(command) << args.back();
    EXPECT_FALSE(std::get<std::string>(*command).empty());
  }
  const auto help = std::get<std::string>(*parse_command_line({"run", "--help"}));
  for (const char* option :
       {"-m ", "kernel", "initrd", "append", "engine", "serial", "nographic", "debugcon", "device",
        "no-reboot", "timeout", "-d ", "-D ", "stats", "cpu", "icount", "bt-memory"})
    EXPECT_NE(help.find(option), std::string::npos) << option;
  EXPECT_FALSE(parse_command_line({}));
  EXPECT_FALSE(parse_command_line({"walk"}));
}

}  // namespace
}  // namespace ringshift
