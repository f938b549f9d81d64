import CLLVM

/// A function that several kernels call.
protocol SharedFunction: Sendable {
  /// What distinguishes it from all others for the same processor: it says everything else that the code depends on.
  var name: String { get }

  /// Nothing is returned.
  func parameters(in builder: IRBuilder) -> [IRType]

  /// Emits all but the return.
  func emit(_ function: Function, in builder: IRBuilder)
}

/// Where the shared functions are defined that a module calls.
enum SharedFunctions {
  /// In the module itself.
  case inModule
  /// In other objects of the executable, by somebody who looks at what was asked for.
  case elsewhere(Requests)

  /// What a module has asked for.
  final class Requests {
    /// The functions by name.
    fileprivate(set) var functions: [String: any SharedFunction] = [:]

    /// Forgets those that nothing calls in the module, now that it has been simplified.
    func keepNeeded(in module: borrowing IRModule) {
      functions = functions.filter { module.hasFunction(named: $0.key) }
    }
  }
}

extension IRBuilder {
  /// A function to call, which the first call defines where the module has its own.
  func shared(_ shared: some SharedFunction) -> Function {
    let isKnown = LLVMGetNamedFunction(module, shared.name) != nil
    switch sharedFunctions {
    case .inModule where !isKnown:
      return define(shared)
    case .elsewhere(let requests) where !isKnown:
      requests.functions[shared.name] = shared
    default:
      break
    }
    return declare(shared.name, shared.parameters(in: self), returning: void)
  }

  /// Defines a shared function, which is called often enough to stand alone.
  @discardableResult
  func define(_ shared: some SharedFunction, visibility: Visibility = .module) -> Function {
    define(
      shared.name, shared.parameters(in: self), returning: void, visibility: visibility, attributes: ["noinline"]
    ) { function in
      shared.emit(function, in: self)
      returnNothing()
    }
  }
}
