import CPlatform
import Glibc

/// A thread of the operating system that runs one closure.
package final class WorkerThread: @unchecked Sendable {
  private var identifier = pthread_t()

  /// Starts `body` on a thread of its own, named `name` in profilers.
  package init(name: String, body: @escaping @Sendable () -> Void) throws(TrainerError) {
    let start = Unmanaged.passRetained(
      Start {
        wamim_name_calling_thread(name)
        body()
      })
    let status = pthread_create(
      &identifier, nil,
      { argument in
        guard let argument else { return nil }
        Unmanaged<Start>.fromOpaque(argument).takeRetainedValue().body()
        return nil
      }, start.toOpaque())
    guard status == 0 else {
      start.release()
      throw TrainerError("cannot start a thread: \(FileSystem.describe(status)); use fewer --threads")
    }
  }

  /// Waits for the closure to return; to be called once.
  package func join() {
    pthread_join(identifier, nil)
  }

  /// Lets the thread end by itself; to be called in place of `join`.
  package func abandon() {
    pthread_detach(identifier)
  }

  private final class Start {
    let body: @Sendable () -> Void

    init(body: @escaping @Sendable () -> Void) {
      self.body = body
    }
  }
}
