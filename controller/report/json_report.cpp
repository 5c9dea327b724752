// The report for programs.
#include "controller/report/report.hpp"

namespace firedrill {

Json json_report(const Measures& measures, const Scorecard& card, const Experiment& experiment) {
  return {{"report", 1},  // version of this shape
          {"experiment",
           {{"id", experiment.id}, {"title", experiment.title}, {"tags", experiment.tags}}},
          {"run", measures.run},
          {"what_happened", what_happened(measures, experiment)},
          {"card", to_json(card)},
          {"measures", to_json(measures)}};
}

}  // namespace firedrill
