// How much memory the daemon holds while it has nothing to do.
#pragma once

namespace firedrill::agent {

/// Gives back the pages of program text that only starting, connecting or a run that is over
/// needed. They are clean: the kernel reads one again when it is called for, as a rule from its
/// cache. Any thread; takes well under a millisecond.
void release_idle_pages();

}  // namespace firedrill::agent
