#include "kvbm/sequence/sequence_state.hpp"

namespace kvbm {
namespace {

std::string counted(std::size_t count, const char* noun) {
  return std::to_string(count) + " " + noun + (count == 1 ? "" : "s");
}

struct StateText {
  std::string operator()(const Idle&) const { return "Idle"; }
  std::string operator()(const PrefillScheduled& state) const {
    return "PrefillScheduled(" + counted(state.num_tokens, "token") + ", " + counted(state.blocks_allocated, "block") +
           ")";
  }
  std::string operator()(const DecodeScheduled& state) const {
    return "DecodeScheduled(" + counted(state.blocks_allocated, "block") + ")";
  }
  std::string operator()(const SpeculativeScheduled& state) const {
    return "SpeculativeScheduled(" + counted(state.num_tokens, "token") + ", " +
           counted(state.blocks_allocated, "block") + ")";
  }
};

struct ScheduleErrorText {
  std::string operator()(const ScheduleError::NotIdle& error) const {
    return "the sequence is not idle but " + text_of(error.state);
  }
  std::string operator()(const ScheduleError::PrefillOverrun& error) const {
    return counted(error.num_tokens, "token") + " from " + std::to_string(error.position) + " on go beyond the " +
           std::to_string(error.num_input_tokens) + " there are to prefill";
  }
  std::string operator()(const ScheduleError::PrefillComplete&) const { return "there is nothing left to prefill"; }
  std::string operator()(const ScheduleError::PrefillNotComplete& error) const {
    return "prefill is at " + std::to_string(error.position) + " of " + counted(error.num_input_tokens, "token");
  }
  std::string operator()(const ScheduleError::AllocationFailed& error) const {
    return counted(error.needed, "block") + " could not be allocated";
  }
  std::string operator()(const ScheduleError::GenerationComplete& error) const {
    return std::to_string(error.generated) + " of " + counted(error.max_output, "token") + " are generated";
  }
  std::string operator()(const ScheduleError::WrongDanglingCount& error) const {
    return counted(error.actual, "token") + " without KV, not " + std::to_string(error.expected);
  }
};

struct ApplyErrorText {
  std::string operator()(const ApplyError::WrongState& error) const {
    return "the sequence is " + text_of(error.actual) + ", not " + std::string(error.expected);
  }
  std::string operator()(const ApplyError::TokenOnNonFinalChunk&) const {
    return "a token came with a chunk that is not the last";
  }
  std::string operator()(const ApplyError::MissingTokenOnFinalChunk&) const {
    return "no token came with the last chunk";
  }
  std::string operator()(const ApplyError::AcceptedExceedsScheduled& error) const {
    return counted(error.accepted, "token") + " accepted of " + std::to_string(error.scheduled) + " scheduled";
  }
  std::string operator()(const ApplyError::AppendExceedsRemaining& error) const {
    return counted(error.requested, "token") + " to append, but only " + std::to_string(error.remaining) +
           " may be generated";
  }
};

}  // namespace

std::string text_of(const SequenceState& state) { return std::visit(StateText(), state); }
std::string ScheduleError::text() const { return std::visit(ScheduleErrorText(), what); }
std::string ApplyError::text() const { return std::visit(ApplyErrorText(), what); }

}  // namespace kvbm
