// Streams, events and graphs.
#include "state.hpp"

using namespace fake;

API cuStreamCreate(wamim_cuda_stream *stream, uint32_t) {
  const Lock lock(mutex);
  *stream = new Stream;
  return broken;
}

API cuStreamDestroy_v2(wamim_cuda_stream stream) {
  const Lock lock(mutex);
  delete (Stream *)stream;
  return broken;
}

API cuStreamSynchronize(wamim_cuda_stream stream) {
  const Lock lock(mutex);
  return drain((Stream *)stream);
}

API cuStreamWaitEvent(wamim_cuda_stream stream, wamim_cuda_event handle, uint32_t) {
  const Lock lock(mutex);
  Event *event = (Event *)handle;
  return enqueue((Stream *)stream, [event, recorded = event->recorded] {
    if (const Result result = wait(event, recorded)) throw Failure{result, "what a stream waits for fails"};
  });
}

API cuEventCreate(wamim_cuda_event *event, uint32_t) {
  const Lock lock(mutex);
  *event = new Event;
  return broken;
}

API cuEventDestroy_v2(wamim_cuda_event handle) {
  const Lock lock(mutex);
  Event *event = (Event *)handle;
  // Its stream may still name it.
  const Result result = wait(event, event->recorded);
  if (event->reached == event->recorded) delete event;
  return result;
}

API cuEventRecord(wamim_cuda_event handle, wamim_cuda_stream stream) {
  const Lock lock(mutex);
  Event *event = (Event *)handle;
  event->stream = (Stream *)stream;
  return enqueue(event->stream, [event, recorded = ++event->recorded] {
    event->reached = recorded;
    event->time = std::chrono::steady_clock::now();
  });
}

API cuEventSynchronize(wamim_cuda_event handle) {
  const Lock lock(mutex);
  return wait((Event *)handle, ((Event *)handle)->recorded);
}

API cuEventElapsedTime(float *milliseconds, wamim_cuda_event start, wamim_cuda_event end) {
  const Lock lock(mutex);
  const Event *from = (Event *)start, *to = (Event *)end;
  if (from->reached < from->recorded || to->reached < to->recorded) return fail(600, "time is measured up to what has not come yet");
  *milliseconds = std::chrono::duration<float, std::milli>(to->time - from->time).count();
  return broken;
}

API cuStreamBeginCapture_v2(wamim_cuda_stream stream, int32_t) {
  const Lock lock(mutex);
  if (((Stream *)stream)->capture) return fail(invalid_value, "a stream is captured twice");
  ((Stream *)stream)->capture = std::make_unique<Graph>();
  return broken;
}

API cuStreamEndCapture(wamim_cuda_stream stream, wamim_cuda_graph *graph) {
  const Lock lock(mutex);
  if (!((Stream *)stream)->capture) return fail(invalid_value, "a capture ends that has not begun");
  *graph = ((Stream *)stream)->capture.release();
  return broken;
}

API cuGraphInstantiateWithFlags(wamim_cuda_executable_graph *executable, wamim_cuda_graph graph, uint64_t) {
  const Lock lock(mutex);
  *executable = new Graph(*(Graph *)graph);
  return broken;
}

API cuGraphLaunch(wamim_cuda_executable_graph executable, wamim_cuda_stream stream) {
  const Lock lock(mutex);
  if (broken) return broken;
  for (const Work &work : ((Graph *)executable)->work)
    if (const Result result = enqueue((Stream *)stream, work)) return result;
  return success;
}

API cuGraphDestroy(wamim_cuda_graph graph) {
  const Lock lock(mutex);
  delete (Graph *)graph;
  return success;
}

API cuGraphExecDestroy(wamim_cuda_executable_graph executable) {
  const Lock lock(mutex);
  delete (Graph *)executable;
  return success;
}
