// A guest under bt with its blocks recorded, and what was found in the terminal and in files.
#include "cli/explain_command.h"

#include "base/messages.h"
#include "cli/exit_status.h"
#include "cli/host_events.h"
#include "cli/output_files.h"
#include "machine/loaders/input_file.h"
#include "machine/machine.h"
#include "report/explain/explain_html.h"
#include "report/explain/explain_json.h"
#include "report/explain/explain_text.h"
#include "report/explain/explainer.h"
#include "report/explain/history_log.h"

namespace ringshift {

namespace {

// To the guest's end, to the time limit, or to SIGINT and the like.
Result<RunOutcome> run_guest(const ExplainCommand& command, bt::HistoryListener& listener) {
  HostEvents events;
  MachineBackends outputs;
  outputs.serial = RS_TRY(file_output(command.run.serial));
  if (command.run.debugcon) outputs.debugcon = RS_TRY(file_output(*command.run.debugcon));
  MachineConfig config = command.run.machine;
  config.bt_listener = &listener;
  const auto machine = RS_TRY(Machine::create(std::move(config), std::move(outputs), Tracer()));
  HostEventHandlers handlers;
  handlers.input = [](std::vector<u8>) {};
  handlers.monitor = [](const std::string&) {};
  handlers.stop = [&](int, int) { machine->request_stop(); };
  events.start({.input = false, .timeout_seconds = command.run.timeout_seconds}, std::move(handlers));
  RunOutcome outcome = machine->run();
  events.finish();
  return outcome;
}

std::string ended_text(const RunOutcome& outcome) {
  if (outcome.kind == RunOutcome::Kind::guest_exit)
    return fmt::format("the guest ended with status {}", outcome.status);
  if (outcome.kind == RunOutcome::Kind::stopped) return "the guest was stopped";
  return fmt::format("the guest's end: {}", outcome_name(outcome.kind));
}

Result<SymbolTable> symbols_of(const ExplainCommand& command) {
  if (!command.symbols.empty()) return SymbolTable::of_file(command.symbols);
  return SymbolTable::of_elf(command.run.machine.boot.kernel);
}

Result<BlockSelection> selection_of(const ExplainCommand& command, const SymbolTable& symbols) {
  BlockSelection selection;
  selection.top = command.top;
  if (command.address) selection.range = {command.address->low, command.address->high};
  if (command.function.empty()) return selection;
  const Symbol* const symbol = symbols.named(command.function);
  if (symbol == nullptr)
    return fail(ErrorKind::usage, "--function: there is no symbol '{}'{}", command.function,
                symbols.empty() ? "; the kernel has none: give --symbols an ELF file or a System.map" : "");
  selection.range = {symbol->address, symbol->end()};
  return selection;
}

std::string selection_text(const ExplainCommand& command) {
  if (!command.function.empty()) return fmt::format("blocks of {}", command.function);
  if (command.address)
    return fmt::format("blocks with code in {:08x} to {:08x}", command.address->low, command.address->high);
  return fmt::format("the {} hottest blocks", command.top);
}

Result<int> run_explain(const ExplainCommand& command) {
  RS_TRY(InputFile::open(command.run.machine.boot.kernel,
                         "kernel"));  // else it would be missed as a symbol file
  const SymbolTable symbols = RS_TRY(symbols_of(command));
  const BlockSelection selection = RS_TRY(selection_of(command, symbols));
  for (const std::string& path : {command.html_file, command.json_file}) RS_TRY(check_writable(path));
  bt::TranslationRecorder record;
  std::unique_ptr<HistoryLog> log;
  if (!command.history_file.empty()) log = RS_TRY(HistoryLog::create(command.history_file, &record));
  bt::HistoryListener& listener = log != nullptr ? static_cast<bt::HistoryListener&>(*log) : record;
  const RunOutcome outcome = RS_TRY(run_guest(command, listener));
  if (outcome.kind == RunOutcome::Kind::failed) return tl::unexpected(*outcome.error);
  if (log != nullptr && !log->finish())
    return fail(ErrorKind::internal, "the history in {} is incomplete", command.history_file);

  Explanation explanation = explain(record, symbols, selection);
  explanation.guest = command.run.machine.boot.kernel;
  explanation.guest = explanation.guest.substr(explanation.guest.rfind('/') + 1);
  explanation.command = command.words;
  explanation.ended = ended_text(outcome);
  explanation.selection = selection_text(command);
  if (!command.html_file.empty()) RS_TRY(write_file(command.html_file, explanation_html(explanation)));
  if (!command.json_file.empty()) RS_TRY(write_file(command.json_file, explanation_json(explanation)));
  return put_stdout(explanation_text(explanation, {.cold = command.cold})) ? kExitSuccess : kExitInternal;
}

}  // namespace

int explain_command(const ExplainCommand& command) {
  const auto status = run_explain(command);
  return status ? *status : complain(status.error());
}

}  // namespace ringshift
