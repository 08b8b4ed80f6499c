#include "stages.hpp"

#include "stages.cuh"

namespace engine {

template <class Stage>
void launch_stage(const Stage& stage, kvbm::StreamView stream);  // stages.cu

namespace {

template <class Stage>
void run_stage(const Stage& stage) {
  for (std::uint32_t item = 0; item < stage.count(); ++item) stage(item);
}

}  // namespace

template <class Stage>
kvbm::KernelCall stage_call(const Stage& stage) {
#if ENGINE_HAS_CUDA
  constexpr void (*kOnStream)(const Stage&, kvbm::StreamView) = launch_stage<Stage>;
#else
  constexpr void (*kOnStream)(const Stage&, kvbm::StreamView) = nullptr;
#endif
  return kvbm::KernelCall(Stage::kName, stage, run_stage<Stage>, kOnStream);
}

template kvbm::KernelCall stage_call(const Embed&);
template kvbm::KernelCall stage_call(const Normalize&);
template kvbm::KernelCall stage_call(const ProjectQkv&);
template kvbm::KernelCall stage_call(const Attend&);
template kvbm::KernelCall stage_call(const ProjectOutput&);
template kvbm::KernelCall stage_call(const ProjectUp&);
template kvbm::KernelCall stage_call(const ProjectDown&);
template kvbm::KernelCall stage_call(const Unembed&);
template kvbm::KernelCall stage_call(const PickLargest&);

}  // namespace engine
