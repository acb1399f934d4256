// The command line, by CLI11.
#include "cli/options.h"

#include <CLI/CLI.hpp>
#include <cmath>

#include "base/trace.h"
#include "cli/argument_names.h"
#include "machine/engine_factory.h"

namespace ringshift {

namespace {
constexpr const char* kVersion =
    "ringshift " RINGSHIFT_VERSION "\nA software x86 virtual machine monitor. MIT license.\n";

constexpr const char* kUsage =
    "Ringshift runs unmodified 32-bit x86 operating systems in software.\n"
    "\n"
    "Usage: ringshift run -kernel FILE [-initrd FILE] [-append TEXT] [OPTION...]\n"
    "       ringshift lockstep [-engine bt,interp] [-every N] -kernel FILE [OPTION...]\n"
    "       ringshift compare [--runs N] [--html FILE] [OPTION...]\n"
    "       ringshift explain -kernel FILE [--function NAME] [--top N] [--html FILE] [OPTION...]\n"
    "       ringshift doctor [--json]\n"
    "       ringshift --help | --version\n"
    "\n"
    "`ringshift run --help` lists the options; `ringshift doctor` says which engines work here. Example:\n"
    "  ringshift run -m 256 -kernel linux -initrd initrd.gz -append 'console=ttyS0 rdinit=/bin/sh'\n";

constexpr const char* kFooter =
    "Options may be written with one dash or two, as -name VALUE or -name=VALUE.\n"
    "\n"
    "In the terminal: Ctrl-A X ends the machine, Ctrl-A C switches to the monitor and back,\n"
    "Ctrl-A A sends Ctrl-A, Ctrl-A H shows help.\n"
    "\n"
    "Exit status: 0 the guest powered off (or reset, under -no-reboot), or Ctrl-A X; (v<<1)|1 the guest "
    "wrote v\n"
    "to isa-debug-exit; 2 usage; 4 unreadable or malformed input file; 6 engine unavailable; 8 the guest\n"
    "triple-faulted; 10 internal failure; 124 timeout.\n";

constexpr const char* kLockstepFooter =
    "Exit status: 0 the engines agree to the guest's end, or to -limit; 12 they differ; 2 usage;\n"
    "4 unreadable or malformed input file; 6 engine unavailable; 10 internal failure.\n";

constexpr const char* kDoctorHelp =
    "Says which engines work on this host and why not, what its KVM really is, what an exit costs,\n"
    "and what to change.\n"
    "Usage: ringshift doctor [--json]\n"
    "\n"
    "Options:\n"
    "  -h,--help                   Print this help message and exit\n"
    "  --json                      For programs\n";

// The options as text, before their values are understood.
struct RawOptions {
  std::string memory = "128";
  std::string kernel, initrd, append;
  std::string engine = "bt", engine_switch;
  std::string bt_memory = "auto";
  std::string bt_cache, bt_verify_part;
  std::string cpu = "n270", guest_abi = "pc";
  std::string serial = "stdio";
  std::string debugcon, monitor;
  std::vector<std::string> devices, drives;
  std::string trace_words, trace_file;
  std::string stats, icount, timeout;
  bool nographic = false, no_reboot = false;
  std::string every = "1000000", limit;  // of lockstep
};

void declare_options(CLI::App& app, RawOptions& raw) {
  const auto text = [&](const char* name, std::string& value, const char* what, const char* type) {
    return app.add_option(name, value, what)
        ->type_name(type)
        ->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
  };
  text("-m", raw.memory, "Guest RAM: MiB, or with K, M or G (default 128)", "SIZE");
  text("--kernel", raw.kernel, "Linux bzImage, multiboot or ELF32 kernel, for i386", "FILE");
  text("--initrd", raw.initrd, "Initial RAM disk; for multiboot the modules, 'FILE ARGS,FILE ARGS'", "FILE");
  text("--append", raw.append, "The kernel's command line", "TEXT");
  text("--engine", raw.engine,
       "bt: binary translation (default); interp: the reference interpreter; kvm: the host's KVM; trap: trap "
       "and "
       "emulate; auto: kvm where it is real and works, else bt; several, as in "
       "bt,interp: a set to switch between",
       "ENGINE");
  text("--engine-switch", raw.engine_switch,
       "Switch by the clock, for tests: every:100ms,bt,interp:2ms; or every:1000i,... under -icount",
       "TURNS");
  text("--bt-memory", raw.bt_memory,
       "How bt reaches guest memory: soft (inline TLB), window (host mappings), auto (default)", "WAY");
  text("--bt-cache", raw.bt_cache, "Size of bt's cache of translated code: MiB, or with K, M or G", "SIZE");
  text("--bt-verify-part", raw.bt_verify_part,
       "With -d verify: of N instructions verify one, in slices (default 1)", "N");
  text("--cpu", raw.cpu, "The CPU that CPUID shows: n270 (default), pentium3, core2", "MODEL");
  text("--guest-abi", raw.guest_abi,
       "What the kernel is made for: pc (default), xen-pv (Xen's 32-bit PAE interface)", "ABI");
  app.add_option("--drive", raw.drives,
                 "A disk of a xen-pv guest: file=FILE,if=xen[,readonly=on]; xvda, xvdb, ... in order")
      ->type_name("DRIVE")
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  text("--icount", raw.icount, "Virtual time: an instruction takes 2^N ns; runs repeat exactly", "shift=N");
  text("--serial", raw.serial, "COM1: stdio (default), null or file:PATH", "WHERE");
  app.add_flag("--nographic", raw.nographic, "COM1 on the terminal (as without it: there is no display)");
  text("--debugcon", raw.debugcon, "Debug console at port E9h: stdio, null or a file", "FILE");
  text("--monitor", raw.monitor, "The monitor (also at Ctrl-A C) at a Unix socket: unix:PATH", "WHERE");
  app.add_option("--device", raw.devices,
                 "isa-debug-exit,iobase=0xf4,iosize=4: the guest can end the program")
      ->type_name("DEVICE")
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  app.add_flag("--no-reboot", raw.no_reboot, "A reset by the guest ends the program");
  text("--timeout", raw.timeout, "End with status 124 after this time", "SECONDS");
  text("-d", raw.trace_words,
       "Trace: int, in_asm, out_asm, exec, cpu_reset, io, mmu; verify: bt against interp; sensitive: what "
       "trap doesn't see; comma-separated",
       "WORDS");
  text("-D", raw.trace_file, "Write the trace there instead of stderr", "FILE");
  app.add_option("--stats", raw.stats, "Print statistics at the end: human (default) or json:FILE")
      ->type_name("FORMAT")
      ->expected(0, 1)
      ->default_str("human")
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
}

Result<void> read_stats(const std::string& text, RunOptions& options) {
  if (text.empty() || text == "human") {
    options.stats = StatsFormat::human;
    return {};
  }
  if (!text.starts_with("json:") || text.size() == 5)
    return fail(ErrorKind::usage, "-stats takes human or json:FILE, not '{}'", text);
  options.stats = StatsFormat::json;
  options.stats_file = text.substr(5);
  return {};
}

Result<void> read_engine(const RawOptions& raw, MachineConfig& machine) {
  if (raw.engine != "auto") machine.engines = RS_TRY(parse_engines(raw.engine));
  if (!raw.engine_switch.empty()) machine.engine_turns = RS_TRY(parse_engine_turns(raw.engine_switch));
  if (raw.bt_memory == "soft")
    machine.bt_memory = BtMemory::soft;
  else if (raw.bt_memory == "window")
    machine.bt_memory = BtMemory::window;
  else if (raw.bt_memory == "auto")
    machine.bt_memory = BtMemory::automatic;
  else
    return fail(ErrorKind::usage, "-bt-memory takes soft, window or auto, not '{}'", raw.bt_memory);
  if (!raw.bt_cache.empty()) {
    const auto size = parse_memory_size(raw.bt_cache);
    if (!size || *size > (u64{1} << 30))
      return fail(ErrorKind::usage, "-bt-cache takes a size between 1M and 1G, not '{}'", raw.bt_cache);
    machine.bt_cache_bytes = *size;
  }
  if (!raw.bt_verify_part.empty()) machine.bt_verify_part = RS_TRY(parse_verify_part(raw.bt_verify_part));
  return {};
}

Result<void> read_guest_abi(const RawOptions& raw, MachineConfig& machine) {
  if (raw.guest_abi == "xen-pv")
    machine.guest_abi = GuestAbi::xen_pv;
  else if (raw.guest_abi != "pc")
    return fail(ErrorKind::usage, "-guest-abi takes pc or xen-pv, not '{}'", raw.guest_abi);
  for (const std::string& drive : raw.drives) machine.xen_disks.push_back(RS_TRY(parse_drive(drive)));
  if (machine.xen_disks.size() > XenDisk::kMax)
    return fail(ErrorKind::usage, "-drive: a xen-pv guest has {} disks at most", XenDisk::kMax);
  if (machine.guest_abi == GuestAbi::pc && !machine.xen_disks.empty())
    return fail(ErrorKind::usage, "-drive: there are disks under -guest-abi xen-pv only");
  if (machine.guest_abi == GuestAbi::xen_pv && machine.has_engine(EngineKind::kvm))
    return fail(ErrorKind::usage, "-guest-abi xen-pv goes with -engine bt, interp and trap, not kvm");
  return {};
}

Result<double> read_timeout(const std::string& text) {
  char* end = nullptr;
  const double seconds = std::strtod(text.c_str(), &end);
  if (end == text.c_str() || *end != 0 || !(seconds > 0) || !(seconds < 1e9))
    return fail(ErrorKind::usage, "-timeout takes seconds above 0, not '{}'", text);
  return seconds;
}

// app knows which options were given: an empty value is a mistake, not an absence.
Result<RunOptions> understand(const RawOptions& raw, const CLI::App& app) {
  RunOptions options;
  options.machine.ram_bytes = RS_TRY(parse_memory_size(raw.memory));
  options.machine.cpu_model = raw.cpu;
  options.machine.boot = {raw.kernel, raw.initrd, raw.append};
  options.machine.no_reboot = raw.no_reboot;
  RS_TRY(read_engine(raw, options.machine));
  options.automatic_engine = raw.engine == "auto";
  if (raw.kernel.empty()) return fail(ErrorKind::usage, "-kernel FILE is needed: there is nothing to boot");
  for (const std::string& device : raw.devices) options.machine.debug_exit = RS_TRY(parse_device(device));
  if (app.count("--icount") != 0) options.machine.icount_shift = RS_TRY(parse_icount(raw.icount));
  RS_TRY(read_guest_abi(raw, options.machine));
  options.serial = RS_TRY(parse_serial(raw.serial));
  if (app.count("--debugcon") != 0) options.debugcon = RS_TRY(parse_debugcon(raw.debugcon));
  if (app.count("--monitor") != 0) options.monitor_path = RS_TRY(parse_monitor(raw.monitor));
  if (app.count("--timeout") != 0) options.timeout_seconds = RS_TRY(read_timeout(raw.timeout));
  if (app.count("--stats") != 0) RS_TRY(read_stats(raw.stats, options));
  options.machine.count_instructions = options.stats != StatsFormat::none;
  Tracer check;
  RS_TRY(check.enable(raw.trace_words));
  options.machine.bt_verify = check.on(TracePoint::verify);
  // The replica has no hypervisor behind it.
  if (options.machine.bt_verify && options.machine.guest_abi == GuestAbi::xen_pv)
    return fail(ErrorKind::usage, "-d verify does not go with -guest-abi xen-pv; `ringshift lockstep` does");
  if (options.machine.bt_verify && !options.machine.has_engine(EngineKind::bt))
    return fail(ErrorKind::usage, "-d verify compares -engine bt with interp; there is nothing to compare");
  if (!options.machine.bt_verify && app.count("--bt-verify-part") != 0)
    return fail(ErrorKind::usage, "-bt-verify-part is for -d verify");
  if (check.on(TracePoint::sensitive) && !options.machine.has_engine(EngineKind::trap))
    return fail(ErrorKind::usage, "-d sensitive is about -engine trap: no other lets such instructions pass");
  options.trace_words = raw.trace_words;
  options.trace_file = raw.trace_file;
  return options;
}

// The help text, if that is asked for.
Result<std::optional<std::string>> parse_with(CLI::App& app, const std::vector<std::string>& args) {
  std::vector<std::string> uniform = RS_TRY(uniform_arguments(args));
  try {
    std::reverse(uniform.begin(), uniform.end());
    app.parse(std::move(uniform));
  } catch (const CLI::CallForHelp&) {
    return app.help();
  } catch (const CLI::ParseError& error) {
    return fail(ErrorKind::usage, "{}; `{} --help` lists the options", error.what(), app.get_name());
  }
  for (const CLI::Option* option : app.get_options())
    if (option->get_type_name() == "FILE" && option->count() != 0 && option->as<std::string>().empty())
      return fail(ErrorKind::usage, "{} needs a file's name", option->get_name());
  return std::nullopt;
}

void declare_lockstep_options(CLI::App& app, RawOptions& raw) {
  app.add_option("--every", raw.every,
                 "Compare the engines each N instructions (default 1000000; with kvm 1000)")
      ->type_name("N");
  app.add_option("--limit", raw.limit, "No further than N instructions")->type_name("N");
}

// Both machines run in virtual time, without a terminal; the first writes to files, if -serial or -debugcon
// name some.
Result<LockstepCommand> understand_lockstep(const RawOptions& raw, const CLI::App& app) {
  LockstepCommand command{.run = RS_TRY(understand(raw, app))};
  RunOptions& run = command.run;
  if (run.machine.engines.size() != 2)
    return fail(ErrorKind::usage, "lockstep compares two engines: -engine bt,interp");
  if (run.machine.has_engine(EngineKind::trap))
    return fail(
        ErrorKind::usage,
        "lockstep stops both engines after the same number of instructions, and trap cannot count them; "
        "use -engine bt,interp (to look for what trap does otherwise, switch: `ringshift run -engine "
        "bt,trap`)");
  for (const char* other : {"-d", "-D", "--stats", "--monitor", "--engine-switch", "--timeout"})
    if (app.count(other) != 0) return fail(ErrorKind::usage, "lockstep takes no {}", other);
  if (!run.machine.icount_shift) run.machine.icount_shift = 3;
  // KVM takes a step an instruction, and what it writes is kept by pages.
  const bool kvm = run.machine.has_engine(EngineKind::kvm);
  command.every = kvm && app.count("--every") == 0 ? 1000 : RS_TRY(parse_count(raw.every, "-every"));
  if (app.count("--limit") != 0) command.limit = RS_TRY(parse_count(raw.limit, "-limit"));
  return command;
}

Result<Command> parse_lockstep(const std::vector<std::string>& args) {
  CLI::App app("Runs one guest on two engines in virtual time, and names the first instruction that differs.",
               "ringshift lockstep");
  app.get_formatter()->column_width(30);
  app.footer(kLockstepFooter);
  RawOptions raw;
  raw.engine = "bt,interp";
  declare_options(app, raw);
  declare_lockstep_options(app, raw);
  if (auto text = RS_TRY(parse_with(app, args))) return Command(*text);
  return Command(RS_TRY(understand_lockstep(raw, app)));
}

// Of explain.
struct RawExplain {
  std::string function, address, top = "10", duration, symbols, html, json, history;
  bool cold = false;
};

void declare_explain_options(CLI::App& app, RawExplain& raw) {
  const auto text = [&](const char* name, std::string& value, const char* what, const char* type) {
    app.add_option(name, value, what)->type_name(type);
  };
  text("--function", raw.function, "Only blocks of this function, by its symbol", "NAME");
  text("--address", raw.address, "Only blocks with code there: LO-HI (HI exclusive) or LO+LENGTH", "RANGE");
  text("--top", raw.top, "So many blocks, the hottest (default 10)", "N");
  text("--for", raw.duration, "Stop the guest after this time: 2s, 500ms", "TIME");
  text("--symbols", raw.symbols, "Symbols: an ELF file or a System.map (default: the kernel's own)", "FILE");
  text("--html", raw.html, "Write a self-contained page there", "FILE");
  text("--json", raw.json, "Write all of it as JSON there", "FILE");
  text("--history", raw.history, "Log what becomes of all blocks there: a line of JSON an event", "FILE");
  app.add_flag("--cold", raw.cold, "Show the code behind the blocks, too");
}

Result<ExplainCommand> understand_explain(const RawOptions& raw, const RawExplain& own, const CLI::App& app) {
  ExplainCommand command{.run = RS_TRY(understand(raw, app))};
  RunOptions& run = command.run;
  if (run.machine.engines != std::vector{EngineKind::bt} || run.automatic_engine)
    return fail(ErrorKind::usage, "explain is about -engine bt: no other translates");
  for (const char* other : {"-d", "-D", "--stats", "--monitor", "--engine-switch", "--timeout"})
    if (app.count(other) != 0) return fail(ErrorKind::usage, "explain takes no {}", other);
  if (app.count("--serial") == 0) run.serial.kind = CharTarget::Kind::null;
  const bool debugcon_here = run.debugcon && run.debugcon->kind == CharTarget::Kind::stdio;
  if (run.serial.kind == CharTarget::Kind::stdio || debugcon_here)
    return fail(ErrorKind::usage, "explain prints its own text: give -serial or -debugcon a file");
  if (app.count("--function") != 0 && app.count("--address") != 0)
    return fail(ErrorKind::usage, "--function and --address are two ways to say one thing: give one");
  if (app.count("--function") != 0 && own.function.empty())
    return fail(ErrorKind::usage, "--function needs a name");
  if (app.count("--address") != 0) command.address = RS_TRY(parse_address_range(own.address));
  command.function = own.function;
  command.top = static_cast<unsigned>(std::min<u64>(RS_TRY(parse_count(own.top, "--top")), 1'000'000));
  if (app.count("--for") != 0) run.timeout_seconds = RS_TRY(parse_duration(own.duration, "--for"));
  command.symbols = own.symbols;
  command.cold = own.cold;
  command.html_file = own.html;
  command.json_file = own.json;
  command.history_file = own.history;
  return command;
}

Result<Command> parse_explain(const std::vector<std::string>& args) {
  CLI::App app("Runs a guest under bt, and shows what its hottest blocks became, and why.",
               "ringshift explain");
  app.get_formatter()->column_width(30);
  RawOptions raw;
  RawExplain own;
  declare_options(app, raw);
  declare_explain_options(app, own);
  if (auto text = RS_TRY(parse_with(app, args))) return Command(*text);
  ExplainCommand command = RS_TRY(understand_explain(raw, own, app));
  command.words = "ringshift explain";
  for (const std::string& arg : args) command.words += " " + quoted_for_shell(arg);
  return Command(std::move(command));
}

Result<Command> parse_run(const std::vector<std::string>& args) {
  CLI::App app("Boots a kernel in a virtual PC.", "ringshift run");
  app.get_formatter()->column_width(30);
  app.footer(kFooter);
  RawOptions raw;
  declare_options(app, raw);
  if (auto text = RS_TRY(parse_with(app, args))) return Command(*text);
  return Command(RS_TRY(understand(raw, app)));
}

Result<Command> parse_compare_command(const std::vector<std::string>& args) {
  auto parsed = RS_TRY(parse_compare(args));
  if (auto* text = std::get_if<std::string>(&parsed)) return Command(std::move(*text));
  return Command(std::get<CompareOptions>(std::move(parsed)));
}

Result<Command> parse_doctor(const std::vector<std::string>& args) {
  DoctorOptions options;
  for (const std::string& arg : args) {
    if (arg == "--help" || arg == "-help" || arg == "-h") return Command(kDoctorHelp);
    if (arg != "--json" && arg != "-json")
      return fail(ErrorKind::usage, "`ringshift doctor` takes --json, not '{}'", arg);
    options.json = true;
  }
  return Command(options);
}
}  // namespace

Result<Command> parse_command_line(const std::vector<std::string>& args) {
  if (args.empty())
    return fail(ErrorKind::usage,
                "nothing to do; `ringshift run -kernel FILE` boots a kernel, --help says more");
  const std::string& first = args.front();
  if (first == "--help" || first == "-help" || first == "-h" || first == "help") return Command(kUsage);
  if (first == "--version" || first == "-version" || first == "-V") return Command(kVersion);
  if (first == "run") return parse_run({args.begin() + 1, args.end()});
  if (first == "lockstep") return parse_lockstep({args.begin() + 1, args.end()});
  if (first == "compare") return parse_compare_command({args.begin() + 1, args.end()});
  if (first == "explain") return parse_explain({args.begin() + 1, args.end()});
  if (first == "doctor") return parse_doctor({args.begin() + 1, args.end()});
  return fail(ErrorKind::usage, "unknown command '{}'; `ringshift --help` shows how to start", first);
}

}  // namespace ringshift
