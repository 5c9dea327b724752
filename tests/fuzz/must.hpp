// What a fuzzer does when a property does not hold: stop here, so that the input is kept.
#pragma once

#include <cstdio>
#include <cstdlib>

namespace firedrill {

/// Aborts with `what` on standard error unless `holds`.
inline void must(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "property broken: %s\n", what);
  std::abort();
}

}  // namespace firedrill
