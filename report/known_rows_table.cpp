// The table of rows (docs/era-bench.md).
#include <algorithm>
#include <array>

#include "report/known_rows.h"

namespace ringshift {

namespace {
constexpr std::array kRows{
    KnownRow{"loop", "instructions", "the empty loop that all rows contain"},
    KnownRow{"call-ret", "instructions", "a call and its return"},
    KnownRow{"pushf-popf", "instructions", "flags to the stack and back"},
    KnownRow{"cli-sti", "instructions", "interrupts off and on"},
    KnownRow{"rdtsc", "instructions", "read the time-stamp counter"},
    KnownRow{"cpuid", "instructions", "identify the processor"},
    KnownRow{"smc", "instructions", "change an instruction and execute it"},
    KnownRow{"cr3", "hardware", "load CR3 with its own value"},
    KnownRow{"cr0-ts", "hardware", "set CR0.TS and clear it"},
    KnownRow{"tpr", "hardware", "write the local APIC's task priority"},
    KnownRow{"mmio-write", "hardware", "write another register of the APIC"},
    KnownRow{"invlpg", "hardware", "touch a page and flush it from the TLB"},
    KnownRow{"in", "hardware", "read port 21h"},
    KnownRow{"out", "hardware", "write port 80h"},
    KnownRow{"syscall", "kernel boundary", "a null system call by SYSENTER"},
    KnownRow{"int80", "kernel boundary", "a null system call by INT 80h"},
    KnownRow{"pgfault", "kernel boundary", "a page fault and the way back"},
    KnownRow{"divzero", "kernel boundary", "a division by zero and the way back"},
    KnownRow{"int-iret", "kernel boundary", "INT in the kernel, to an IRET"},
    KnownRow{"hypercall", "kernel boundary", "a null hypercall"},
    KnownRow{"ptemod-unmap", "page tables", "a store that makes a page not present"},
    KnownRow{"ptemod-map", "page tables", "a store that makes a page present"},
    KnownRow{"ptemod-protect", "page tables", "a store that makes a page read-only"},
    KnownRow{"remap", "page tables", "unmap, flush, map, and touch a page"},
    KnownRow{"switch-0", "processes", "to another address space and back"},
    KnownRow{"switch-64k", "processes", "the same, with 64 KiB touched in each"},
    KnownRow{"timer", "interrupts", "from when the timer was due to its handler"},
    KnownRow{"hlt-wake", "interrupts", "the same out of HLT"},
    KnownRow{"forkwait", "processes", "copy-on-write fork, exit, wait"},
    KnownRow{"mixed", "processes", "two jobs of forks, faults, system calls"},
    KnownRow{"compute-integer", "computation", "a sieve and hashes"},
    KnownRow{"compute-x87", "computation", "a thousand x87 square roots in a chain"},
    KnownRow{"compute-sse", "computation", "packed reciprocals by SSE"},
    KnownRow{"compute-stream", "computation", "a triad and a copy over 1.5 MiB"},
    KnownRow{"compute-chase", "computation", "30,000 steps in a 4 MiB list"},
};

// forkwait: 6.0, 36.9 and 106 s for 40,000 processes, in cycles of one.
constexpr double kForkwait = 3.8e9 / 40000;
constexpr std::array kPaper{
    PaperRow{"syscall", "syscall", 242, 2308, 246},
    PaperRow{"in", "in", 3209, 216, 15826},
    PaperRow{"tpr", "cr8wr", 150, 35, 177},
    PaperRow{"call-ret", "call/ret", 11, 51, 11},
    PaperRow{"pgfault", "pgfault", 1093, 3927, 11242},
    PaperRow{"divzero", "divzero", 889, 3223, 1014},
    PaperRow{"ptemod-unmap", "ptemod, present to not present", 4, 17, 9154},
    PaperRow{"ptemod-map", "ptemod, not present to present", 5, 2121, 17020},
    PaperRow{"forkwait", "forkwait", 6.0 * kForkwait, 36.9 * kForkwait, 106 * kForkwait},
};
}  // namespace

std::span<const KnownRow> known_rows() { return kRows; }
std::span<const PaperRow> paper_rows() { return kPaper; }

const KnownRow* find_known_row(std::string_view name) {
  const auto* found =
      std::find_if(kRows.begin(), kRows.end(), [&](const KnownRow& row) { return row.name == name; });
  return found == kRows.end() ? nullptr : found;
}

}  // namespace ringshift
