// The names and sentences of EmissionReason, in its order.
#include <array>

#include "translator/history/emission_reason.h"

namespace ringshift::bt {

namespace {

struct Entry {
  EmissionReason reason;
  std::string_view name;
  std::string_view sentence;
};

using R = EmissionReason;
constexpr std::array kTable{
    Entry{R::landing, "landing",
          "Indirect branches enter here and say where the block's page is mapped now: one translation serves "
          "its page at every address."},
    Entry{
        R::poll, "poll",
        "Backward branches enter here and look for something pending (an interrupt, a timer, a stop). JECXZ "
        "jumps only then, and changes no flags; the way out stands ahead of it."},
    Entry{R::padding, "padding", "Aligns the block's entry; never executed on the way in."},
    Entry{R::count_block, "count", "Counts the block's instructions, for -stats, -d verify and the like."},
    Entry{
        R::count_budget, "budget",
        "Virtual time: takes the block's instructions from what is left until the next timer, and leaves if "
        "they are too many."},
    Entry{R::profile, "profile",
          "Counts executions for `explain`, and is there under it alone; side exits take a way through cold "
          "code to "
          "be counted, too."},
    Entry{R::identity, "identity", "The guest's own instruction, on host registers of the same numbers."},
    Entry{R::short_incdec, "no short form",
          "40-4F are REX prefixes in 64-bit mode: INC and DEC take their two-byte form."},
    Entry{R::moffs, "no moffs",
          "A0-A3 hold a 64-bit address in 64-bit mode: a MOV with a ModRM operand does the access."},
    Entry{R::lea, "address only",
          "LEA reads no memory: the guest's address is computed in 64-bit mode, and cut to the operand's "
          "size."},
    Entry{R::save_flags, "save flags",
          "What follows clobbers RFLAGS. LAHF and SETO put the guest's arithmetic flags into r12, dead ones "
          "too, for a fault must show them."},
    Entry{R::restore_flags, "restore flags",
          "The guest's arithmetic flags come back from r12: OF by a compare with 81h, the others by SAHF."},
    Entry{R::window, "window",
          "The guest's own operand, under GS with 32-bit addressing: GS's base is a window where the host's "
          "MMU maps the guest's address space. An access beyond it faults, and is mended or interpreted."},
    Entry{R::window_absolute, "window, SIB form",
          "As in a window; an absolute address would be relative to RIP in 64-bit mode, so it takes the SIB "
          "form without base and index."},
    Entry{R::offset, "offset", "Computes the operand's offset into a scratch register."},
    Entry{R::segment, "segment",
          "The segment isn't flat: its limit is checked, and its base is added, both from the virtual CPU's "
          "state."},
    Entry{R::lookup, "lookup",
          "The software TLB: finds the host's address of the guest's page; where the tag differs, cold code "
          "walks the page tables or has the interpreter do the access."},
    Entry{R::ram, "guest RAM", "The access itself, at the host address that the lookup found (r9 + r8)."},
    Entry{R::shared_lookup, "shared lookup",
          "One lookup for several accesses off a register that moves by constants only: of their whole "
          "range, for writing if any writes. r11 is the range's host address."},
    Entry{R::shared_ram, "guest RAM, shared",
          "The access itself, in the range that a shared lookup found (r11)."},
    Entry{
        R::high_byte, "high byte",
        "AH, CH, DH and BH can't be named beside r8-r15 (REX): the register's halves are swapped around the "
        "access."},
    Entry{
        R::live_operand, "patched operand",
        "The guest has changed this immediate, displacement or distance again and again: it is read where it "
        "stands in the guest's code, and changing it drops no block."},
    Entry{R::bit_string, "bit string",
          "A register indexes bits beyond the operand: the word's address and the bit in it are computed."},
    Entry{R::stack_store, "push",
          "64-bit mode has no 32-bit PUSH: a MOV stores below ESP first, so that a fault leaves ESP as it "
          "was."},
    Entry{R::stack_load, "pop",
          "64-bit mode has no 32-bit POP: a MOV loads from the top of the stack first."},
    Entry{R::stack_pointer, "move ESP",
          "ESP moves last, when nothing can fault any more, by LEA, which keeps the flags."},
    Entry{R::return_address, "return address",
          "CALL pushes the guest's return address; the host's is never seen by the guest."},
    Entry{
        R::push_selector, "selector",
        "The selector comes from the virtual CPU's state: the host's segment registers aren't the guest's."},
    Entry{R::string_index, "index",
          "SI and DI move by the element's size; the direction is part of the mode."},
    Entry{R::rep_limit, "REP limit",
          "A long REP goes to the interpreter, so that it can't outrun the guard behind the window, nor keep "
          "interrupts waiting."},
    Entry{R::rep_host, "REP on the host",
          "The host's own REP, on host addresses; the window is 4 GiB-aligned, so the low halves of RSI and "
          "RDI stay the guest's."},
    Entry{
        R::interrupt_flag, "virtual IF",
        "The guest's IF is kept in the virtual CPU's state; the host's interrupts are none of its business."},
    Entry{
        R::compose_flags, "compose EFLAGS",
        "EFLAGS is put together of the arithmetic flags (r12) and the others, in the virtual CPU's state; VM "
        "and RF read as 0."},
    Entry{
        R::take_flags, "take EFLAGS",
        "IF goes to the virtual CPU's state, the arithmetic flags to r12 as LAHF and SETO would give them."},
    Entry{
        R::rare_flags, "rare flags",
        "If POPF changes TF, DF, IOPL, NT, AC or ID, the interpreter executes it; on hardware it would do so "
        "silently, or be ignored at CPL 3: that is why x86 could not be virtualized by traps alone."},
    Entry{R::poll_again, "poll again",
          "IF may have become 1: what is pending is delivered before the next instruction."},
    Entry{R::read_tsc, "guest TSC", "The host's time-stamp counter, scaled and offset to the guest's clock."},
    Entry{
        R::control_register, "guest CRn",
        "The guest's control registers are in the virtual CPU's state; the host's are none of its business."},
    Entry{
        R::interpreter, "interpreter",
        "A stub spills the guest's registers, the interpreter executes the instruction as it was decoded at "
        "translation time, and the block goes on if nothing speaks against it."},
    Entry{R::light_helper, "light helper",
          "A C++ helper does the instruction's usual form with the guest's x87 and SSE state live; what is "
          "unusual it leaves to the interpreter."},
    Entry{R::port, "device",
          "A stub calls the device where IOPL allows it; else the interpreter looks at the TSS's map."},
    Entry{R::jump, "link",
          "A direct jump: to its target's translation once there is one, to cold code before."},
    Entry{R::call, "link",
          "The callee's translation, once there is one; the return goes through the jump table."},
    Entry{R::taken, "link, taken",
          "The guest's own condition, to the target's translation once there is one."},
    Entry{R::not_taken, "link, not taken", "To the translation of what follows, once there is one."},
    Entry{R::side_exit, "side exit",
          "A forward branch doesn't end the block: taken it leaves by a link of its own, else the block goes "
          "on."},
    Entry{R::counter, "counter",
          "CX or ECX is counted and tested without touching the flags, by LEA and JECXZ."},
    Entry{R::loop_exit, "loop exit",
          "A tight loop is emitted four times over, with one poll: the reversed condition leaves it in each "
          "round but the last."},
    Entry{R::next_block, "next block",
          "The block ends here (its page, its length or an interrupt's shadow does): on to what follows."},
    Entry{R::target, "target", "Loads the guest address that the branch goes to."},
    Entry{R::target_limit, "CS limit", "A target beyond CS's limit is a fault of the branch."},
    Entry{
        R::jump_table, "jump table",
        "The target is known only now: a table leads from guest EIP to host code. Its tags hold the mode and "
        "address space, and the same compare sees pending events; it keeps the flags."},
    Entry{R::cold_lookup, "cold: lookup missed",
          "Fills the software TLB and tries again, or has it interpreted."},
    Entry{R::cold_shared, "cold: goes on apart",
          "A lookup missed while r11 was a shared one's: goes on in the copy, which fills the software TLB."},
    Entry{R::cold_separate, "cold: a copy apart",
          "The instructions of a shared lookup, each with its own: for a range that lies in two pages, or "
          "that the software TLB doesn't have, or not for writing."},
    Entry{R::cold_interpret, "cold: beyond the limit", "The interpreter raises what the guest must see."},
    Entry{R::cold_poll, "cold: pending", "Leaves to the dispatcher, which delivers what is pending."},
    Entry{R::cold_budget, "cold: budget spent",
          "Gives the instructions back; the interpreter goes the rest of the way."},
    Entry{R::cold_side_exit, "cold: side exit", "Counts what was not executed, and leaves."},
    Entry{R::cold_loop_exit, "cold: loop exit", "Counts what was not executed, and leaves the loop."},
    Entry{R::cold_link, "cold: not linked yet",
          "Asks the dispatcher for the target's translation, which patches the branch to lead there."},
    Entry{R::cold_jump_table, "cold: no fixed link",
          "The target is on another page whose mapping may change: through the jump table each time."},
};
static_assert(kTable.size() == kEmissionReasons);

constexpr bool in_order() {
  for (unsigned i = 0; i < kTable.size(); ++i)
    if (static_cast<unsigned>(kTable[i].reason) != i) return false;
  return true;
}
static_assert(in_order());

}  // namespace

std::string_view name_of(EmissionReason reason) { return kTable[static_cast<unsigned>(reason)].name; }
std::string_view sentence_of(EmissionReason reason) { return kTable[static_cast<unsigned>(reason)].sentence; }

}  // namespace ringshift::bt
