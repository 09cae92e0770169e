// Lets libFuzzer see where the C codecs go. gcc calls trace_pc from every block that it compiles with
// -fsanitize-coverage=trace-pc; libFuzzer takes each counter of this section for one more branch. Its own function of that
// name only complains, so the linker sends the calls here (build.rs).
#include <stdint.h>

#define COUNTERS_LOG2 15

__attribute__((section("__libfuzzer_extra_counters"))) static uint8_t counters[1 << COUNTERS_LOG2];

// Set by the linker; distances from here are the same in every run.
extern const char __executable_start[];

__attribute__((no_sanitize_coverage, no_sanitize_address)) void __wrap___sanitizer_cov_trace_pc(void) {
    uint32_t place = (uint32_t)((uintptr_t)__builtin_return_address(0) - (uintptr_t)__executable_start);
    // Fibonacci hashing: neighbouring places get distant counters.
    counters[place * 2654435769u >> (32 - COUNTERS_LOG2)]++;
}

// gcc traces comparisons of floating-point numbers, which libFuzzer has no use for.
void __sanitizer_cov_trace_cmpf(float a, float b) { (void)a, (void)b; }
void __sanitizer_cov_trace_cmpd(double a, double b) { (void)a, (void)b; }
