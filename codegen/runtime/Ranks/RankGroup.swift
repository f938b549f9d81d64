import CPlatform

/// The processes that make a run together, each of them a rank; nearly always there is one.
package final class RankGroup: @unchecked Sendable {
  /// What a rank tells the others when they meet.
  package struct Member: Sendable, Equatable {
    package var host: String
    /// Processors that the process may use, and those of its machine.
    package var processors: Int
    package var machineProcessors: Int
    /// What tells programs apart.
    package var program: String

    package init(host: String, processors: Int, machineProcessors: Int, program: String) {
      (self.host, self.program) = (host, program)
      (self.processors, self.machineProcessors) = (processors, machineProcessors)
    }
  }

  package let rank: Int
  package let count: Int
  /// All ranks, in their order; empty where there is one.
  package let members: [Member]
  let link: RankLink?
  private let messenger: (any Messenger)?

  /// One process by itself.
  package static let alone = RankGroup()

  private init() {
    (rank, count, members, link, messenger) = (0, 1, [], nil, nil)
  }

  /// Meets the other ranks, and learns of each what `member` says of this one.
  package init(_ messenger: any Messenger, timeout: Double, member: Member) throws(TrainerError) {
    (rank, count) = (messenger.rank, messenger.count)
    self.messenger = messenger
    guard messenger.count > 1 else {
      (link, members) = (nil, [])
      return
    }
    let link = try RankLink(messenger, timeout: timeout)
    self.link = link
    var members: [Member] = []
    for bytes in try Self.exchange(member.bytes, over: link) {
      guard let member = Member(bytes: bytes) else { throw TrainerError("the ranks run trainers of different versions") }
      members.append(member)
    }
    self.members = members
    link.setNames(members.enumerated().map { "rank \($0.offset) on \($0.element.host)" })
  }

  /// The ranks that were started with this process, each of which runs the program that `digest` stands for.
  static func start(timeout: Double, digest: String) throws(TrainerError) -> RankGroup {
    guard let messenger = try MPIMessenger() else { return .alone }
    return try RankGroup(
      messenger, timeout: timeout,
      member: Member(
        host: Machine.hostName, processors: Int(wamim_available_processors()), machineProcessors: Machine.onlineProcessors,
        program: digest))
  }

  package var isAlone: Bool { count == 1 }

  /// Whether this process writes what the run leaves, and tells how far it is.
  package var isFirst: Bool { rank == 0 }

  /// The rank of number `number`, as messages call it.
  package func name(_ number: Int) -> String { "rank \(number) on \(members[number].host)" }

  /// Whether no network is between the ranks.
  package var isOnOneMachine: Bool { Set(members.map(\.host)).count <= 1 }

  /// The processors that are this rank's share of those of its machine.
  package var processors: Int {
    guard !isAlone else { return Int(wamim_available_processors()) }
    let beside = members.filter { $0.host == members[rank].host }
    let own = members[rank]
    // Who starts the ranks may have shared them out.
    let areShared = beside.reduce(0) { $0 + $1.processors } <= own.machineProcessors
    return max(1, areShared ? own.processors : own.processors / beside.count)
  }

  // MARK: Meeting

  /// What every rank says, in their order; to be called by all of them.
  package func exchange(_ own: [UInt8]) throws(TrainerError) -> [[UInt8]] {
    guard let link else { return [own] }
    return try Self.exchange(own, over: link)
  }

  /// Does on every rank what `body` does, and goes on only if none has failed: the first one that has tells why.
  package func agree<Result>(_ body: () throws -> Result) throws -> Result {
    guard !isAlone else { return try body() }
    var problem: (any Error)?
    var result: Result?
    do { result = try body() } catch { problem = error }
    let failed = try exchange([problem == nil ? 0 : 1]).firstIndex { $0 != [0] }
    if failed == nil, let result { return result }
    if failed == rank, let problem { throw problem }
    throw TrainerError.toldElsewhere
  }

  /// Throws where `text` differs among the ranks, which the first one tells.
  ///
  /// - Parameter problem: Follows the name of a rank in the message.
  package func requireSame(_ text: String, _ problem: String) throws(TrainerError) {
    try requireSame(try exchange(Array(text.utf8)), problem)
  }

  /// Throws where a rank runs another program than the first one.
  func requireSamePrograms() throws(TrainerError) {
    try requireSame(members.map(\.program), "runs another trainer: start the same executable on all ranks")
  }

  private func requireSame(_ values: [some Equatable], _ problem: String) throws(TrainerError) {
    guard let other = values.firstIndex(where: { $0 != values[0] }) else { return }
    // It is known to all, so that the first one need not be named.
    if isFirst { Console.fail("\(name(other)) \(problem)") }
    throw .toldElsewhere
  }

  /// Waits for the notice that another rank has failed.
  func awaitFailure() throws(TrainerError) -> Never {
    guard let link else { throw .toldElsewhere }
    link.begin { () throws(TrainerError) in try link.carryOut { (false, false) } }
    try link.wait()
    throw .toldElsewhere
  }

  /// Runs `body`, and ends with the other ranks: all of them fail where one does, whose error is told with its name.
  package func run(_ body: () throws -> Void) throws {
    guard let link else {
      try body()
      messenger?.end()
      return
    }
    do {
      try body()
    } catch {
      if error as? TrainerError != .toldElsewhere {
        Console.fail("\(name(rank)): \((error as? TrainerError)?.message ?? "\(error)")")
        link.tellFailure()
      }
      link.end()
      // MPI may wait for what nobody will send.
      throw TrainerError.toldElsewhere
    }
    link.end()
    messenger?.end()
  }

  /// Passes what each rank says up the chain, and all of it back.
  private static func exchange(_ own: [UInt8], over link: RankLink) throws(TrainerError) -> [[UInt8]] {
    let result = Holder()
    let (rank, count) = (link.messenger.rank, link.messenger.count)
    link.begin { () throws(TrainerError) in
      var all = BinaryWriter()
      if rank > 0 { all.append(try link.receiveReport(from: rank - 1)) }
      all.appendCounted(own)
      var bytes = all.bytes
      if rank < count - 1 {
        try link.sendReport(bytes, to: rank + 1)
        bytes = try link.receiveReport(from: rank + 1)
      }
      if rank > 0 { try link.sendReport(bytes, to: rank - 1) }
      result.bytes = bytes
    }
    try link.wait()
    var reader = BinaryReader(result.bytes[...])
    var reports: [[UInt8]] = []
    while let report = reader.nextCounted() { reports.append(Array(report)) }
    guard reports.count == count else { throw TrainerError("the ranks run trainers of different versions") }
    return reports
  }

  /// What an operation leaves for those who wait for it.
  private final class Holder: @unchecked Sendable {
    var bytes: [UInt8] = []
  }
}

extension RankLink {
  /// Sends bytes of any number.
  fileprivate func sendReport(_ bytes: [UInt8], to peer: Int) throws(TrainerError) {
    var length = BinaryWriter()
    length.append(UInt64(bytes.count))
    try send(length.bytes, to: peer, as: .length)
    try send(bytes, to: peer, as: .report)
  }

  /// Receives what `sendReport` sends.
  fileprivate func receiveReport(from peer: Int) throws(TrainerError) -> [UInt8] {
    var length = BinaryReader(try receive(8, from: peer, as: .length)[...])
    return try receive(length.next().map { Int(truncatingIfNeeded: $0) } ?? 0, from: peer, as: .report)
  }

  private func send(_ bytes: [UInt8], to peer: Int, as kind: MessageKind) throws(TrainerError) {
    // They have to stay where they are until they are sent.
    let copy = UnsafeMutableRawBufferPointer.allocate(byteCount: bytes.count, alignment: 8)
    copy.copyBytes(from: bytes)
    try wait(for: try messenger.send(UnsafeRawBufferPointer(copy), to: peer, as: kind))
    copy.deallocate()
  }

  private func receive(_ count: Int, from peer: Int, as kind: MessageKind) throws(TrainerError) -> [UInt8] {
    let copy = UnsafeMutableRawBufferPointer.allocate(byteCount: count, alignment: 8)
    try wait(for: try messenger.receive(copy, from: peer, as: kind))
    defer { copy.deallocate() }
    return Array(copy)
  }
}

extension RankGroup.Member {
  fileprivate var bytes: [UInt8] {
    var writer = BinaryWriter()
    writer.appendCounted(Array(host.utf8))
    writer.append(UInt64(processors))
    writer.append(UInt64(machineProcessors))
    writer.appendCounted(Array(program.utf8))
    return writer.bytes
  }

  fileprivate init?(bytes: [UInt8]) {
    var reader = BinaryReader(bytes[...])
    guard let host = reader.nextCounted(), let processors = reader.next(), let machine = reader.next(),
      let program = reader.nextCounted()
    else { return nil }
    self.init(
      host: String(decoding: host, as: UTF8.self), processors: Int(truncatingIfNeeded: processors),
      machineProcessors: Int(truncatingIfNeeded: machine), program: String(decoding: program, as: UTF8.self))
  }
}
