/**
 * The Transport over `node:net`. It does not use Effect's socket server, because a broker has to stop accepting before
 * connections end, to know how much output is pending, to write without a fiber, and to end connections within a bounded time
 * regardless of the peer.
 *
 * Hot path: bytes that arrive while a fiber waits in `read` resume it in the same tick; the socket is paused only if no fiber
 * waits.
 */
import { Effect, FiberSet, Layer, type Scope } from "effect"
import * as Net from "node:net"
import { getSystemErrorMessage } from "node:util"
import { connectFailure, connectionLoss, handshakeFailure, type NetError } from "./NetError.ts"
import * as NetListener from "./NetListener.ts"
import * as ServerTls from "./ServerTls.ts"
import { type Connection, peerAddress, type SecureConnection, splitAddress, Transport } from "./Transport.ts"

/** The longest wait for a peer to receive pending output when its connection ends. */
const linger = "1 second"

/** TCP keepalive detects peers that vanished, also if heartbeats are off; the interval is that of Go's listeners. */
const serverOptions: Net.ServerOpts = {
  allowHalfOpen: true,
  noDelay: true,
  keepAlive: true,
  keepAliveInitialDelay: 15_000
}

/** NSQ's limit for the whole TLS handshake. */
const handshakeTimeout = "5 seconds"

/**
 * The most bytes passed at a time to a socket that is behind: Node reports bytes as taken only when all of them are, and a slow
 * peer has to be distinguished from one that takes nothing.
 */
const pieceBytes = 128 * 1024

/** Output to a TLS connection is copied up to this size, because Node reports late that it has taken it. */
const copiedBytes = 32 * 1024

const makeConnection = (socket: Net.Socket): Effect.Effect<Connection, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.sync(() => connect(socket)),
    // After the upgrade to TLS the plain socket gets no events of its peer any more.
    ({ isReleased, output }) =>
      isReleased() ? Effect.sync(() => socket.destroySoon()) : Effect.andThen(output.handOver, end(socket))
  ).pipe(Effect.map((connected) => withTls(socket, connected)))

/** Sends pending output and the end, and discards input, so that the peer reads all output before it sees a reset. */
const end = (socket: Net.Socket): Effect.Effect<void> =>
  Effect.suspend(() => {
    if (socket.destroyed) return Effect.void
    const closed = Effect.callback<void>((resume) => {
      socket.once("close", () => resume(Effect.void))
      socket.removeAllListeners("data")
      socket.resume()
      socket.end()
    })
    return closed.pipe(
      Effect.timeoutOption(linger),
      Effect.andThen(Effect.sync(() => void socket.destroy()))
    )
  })

/** A connection, and `release`, which frees its socket for another owner and puts back unread input. */
interface Connected {
  readonly connection: Connection
  readonly output: Output
  readonly release: () => void
  readonly isReleased: () => boolean
}

/** The fiber that waits for bytes, as callbacks. */
interface Reader {
  /** Takes bytes; returns true if the reader is done. */
  readonly take: (chunk: Buffer) => boolean
  readonly end: () => void
  readonly lose: (error: NetError) => void
  /** Whether the fiber was interrupted. */
  isOver: boolean
}

/** The output of a socket. */
interface Output extends Pick<Connection, "write" | "cork" | "uncork" | "pendingBytes" | "takenBytes" | "drained"> {
  /** Passes all pending output to the socket, even if it is behind. */
  readonly handOver: Effect.Effect<void>
}

const makeOutput = (socket: Net.Socket): Output => {
  /** Output that is not passed to the socket yet: while corked, and while the socket is behind. */
  let queue: Array<Uint8Array> = []
  let queuedBytes = 0
  let corks = 0
  let writtenBytes = 0
  const pendingBytes = (): number => queuedBytes + socket.writableLength
  const isBehind = (): boolean => socket.writableLength >= socket.writableHighWaterMark

  /** Passes at most `limit` bytes to the socket, in one system call. */
  const handOver = (limit: number): void => {
    let size = 0
    let count = 0
    socket.cork()
    while (count < queue.length && size < limit) {
      const next = queue[count]!
      const part = Math.min(next.length, limit - size)
      socket.write(part === next.length ? next : next.subarray(0, part))
      size += part
      if (part === next.length) count++
      else queue[count] = next.subarray(part)
    }
    queue = queue.slice(count)
    queuedBytes -= size
    socket.uncork()
  }

  const pump = (): void => {
    if (corks > 0) return
    while (queue.length > 0 && !isBehind()) handOver(pieceBytes)
  }
  // A socket that was behind emits "drain" when its buffer is empty.
  socket.on("drain", pump)
  socket.on("close", () => {
    queue = []
    queuedBytes = 0
  })

  return {
    write: (bytes) => {
      if (!socket.writable) return true
      writtenBytes += bytes.length
      if (queue.length === 0 && corks === 0 && bytes.length <= pieceBytes && !isBehind()) socket.write(bytes)
      else {
        queue.push(bytes)
        queuedBytes += bytes.length
        pump()
      }
      return queue.length === 0 && socket.writableLength === 0
    },
    cork: () => void corks++,
    uncork: () => {
      corks--
      pump()
    },
    pendingBytes,
    takenBytes: () => writtenBytes - pendingBytes(),
    drained: Effect.callback((resume) => {
      const isDrained = (): boolean => socket.destroyed || (queue.length === 0 && !socket.writableNeedDrain)
      if (isDrained()) return resume(Effect.void)
      const forget = (): void => {
        socket.off("drain", look)
        socket.off("close", look)
      }
      const look = (): void => {
        if (!isDrained()) return
        forget()
        resume(Effect.void)
      }
      socket.on("drain", look)
      socket.on("close", look)
      return Effect.sync(forget)
    }),
    handOver: Effect.sync(() => {
      if (queue.length > 0) handOver(Infinity)
    })
  }
}

const connect = (socket: Net.Socket): Connected => {
  const output = makeOutput(socket)
  let arrived: Array<Buffer> = []
  let ended = false
  let released = false
  let lost: NetError | undefined
  let reader: Reader | undefined
  const onData = (chunk: Buffer): void => {
    const current = reader
    if (current === undefined) {
      arrived.push(chunk)
      socket.pause()
      return
    }
    // `take` may replace or interrupt the reader.
    reader = undefined
    if (!current.take(chunk) && !current.isOver) reader = current
  }
  const leave = (): Reader | undefined => {
    const current = reader
    reader = undefined
    return current
  }
  const onEnd = (): void => {
    ended = true
    leave()?.end()
  }
  socket.on("data", onData)
  socket.on("end", onEnd)
  const lose = (reason: string): void => {
    lost ??= connectionLoss(reason)
    leave()?.lose(lost)
  }
  /** Gives the reader buffered and further input until it is done or interrupted. */
  const serve = (next: Reader): Effect.Effect<void> => {
    const interrupted = Effect.sync(() => {
      next.isOver = true
      if (reader === next) reader = undefined
    })
    if (arrived.length > 0) {
      const chunk = arrived.length === 1 ? arrived[0]! : Buffer.concat(arrived)
      arrived = []
      if (next.take(chunk)) return interrupted
    }
    if (ended) next.end()
    else if (lost !== undefined) next.lose(lost)
    else {
      reader = next
      if (socket.isPaused()) socket.resume()
    }
    return interrupted
  }
  socket.on("error", (error) => lose(error.message))
  socket.on("close", () => lose("connection closed"))
  const connection: Connection = {
    remoteAddress: peerAddress(socket.remoteAddress, socket.remotePort),
    read: Effect.callback((resume) =>
      serve({
        isOver: false,
        take: (chunk) => {
          resume(Effect.succeed(chunk))
          return true
        },
        end: () => resume(Effect.undefined),
        lose: (error) => resume(Effect.fail(error))
      })
    ),
    readEach: (take) =>
      Effect.callback((resume) => {
        const done = (effect: Effect.Effect<boolean, NetError>): true => {
          resume(effect)
          return true
        }
        return serve({
          isOver: false,
          take: (chunk) => {
            try {
              return take(chunk) ? false : done(Effect.succeed(true))
            } catch (defect) {
              // Thrown in a callback of Node it would end the daemon; as a defect of the fiber it ends the connection.
              return done(Effect.die(defect))
            }
          },
          end: () => resume(Effect.succeed(false)),
          lose: (error) => resume(Effect.fail(error))
        })
      }),
    write: output.write,
    cork: output.cork,
    uncork: output.uncork,
    pendingBytes: output.pendingBytes,
    takenBytes: output.takenBytes,
    drained: output.drained
  }
  const release = (): void => {
    released = true
    socket.pause()
    socket.off("data", onData)
    socket.off("end", onEnd)
    for (const chunk of arrived.toReversed()) socket.unshift(chunk)
    arrived = []
  }
  return { connection, output, release, isReleased: () => released }
}

const withTls = (socket: Net.Socket, { connection, output, release }: Connected): Connection => ({
  ...connection,
  startTls: Effect.fnUntraced(function*(tls): Effect.fn.Return<SecureConnection, NetError, Scope.Scope> {
    yield* output.handOver
    release()
    const route = `${peerAddress(socket.localAddress, socket.localPort)}->${connection.remoteAddress}`
    if (socket.readableEnded) return yield* handshakeFailure("EOF")
    const secure = yield* Effect.timeoutOrElse(tls.handshake(socket), {
      duration: handshakeTimeout,
      orElse: () => Effect.fail(handshakeFailure(`read tcp ${route}: i/o timeout`))
    })
    const inner = yield* Effect.acquireRelease(
      Effect.sync(() => connect(secure)),
      ({ output }) => Effect.andThen(output.handOver, end(secure))
    )
    return {
      connection: insideTls(inner.connection, connection.remoteAddress),
      details: ServerTls.details(secure),
      refusal: tls.refusal(secure)
    }
  })
})

const insideTls = (connection: Connection, remoteAddress: string): Connection => ({
  ...connection,
  remoteAddress,
  write: (bytes) => {
    if (bytes.length > copiedBytes) return connection.write(bytes)
    connection.write(Buffer.from(bytes))
    return true
  }
})

/** Returns the operating system's error text, without the parts of Node's message that the error contains already. */
const reasonOf = (error: NodeJS.ErrnoException): string =>
  error.errno === undefined ? error.code ?? error.message : getSystemErrorMessage(error.errno)

const dial = (address: string): Effect.Effect<Net.Socket, NetError> =>
  Effect.callback((resume) => {
    const split = splitAddress(address)
    const where = split === undefined ? { path: address } : { host: split.host || "localhost", port: split.port }
    const socket = Net.connect({ ...where, allowHalfOpen: true, noDelay: true })
    const failed = (error: Error): void => resume(Effect.fail(connectFailure(address, reasonOf(error))))
    socket.once("error", failed)
    socket.once("connect", () => {
      socket.off("error", failed)
      resume(Effect.succeed(socket))
    })
    return Effect.sync(() => {
      socket.off("error", failed)
      // Without a listener an error after the interruption would end the process.
      socket.on("error", () => {})
      socket.destroy()
    })
  })

/**
 * The live Layer.
 *
 * @since 0.1.0
 * @category layers
 */
export const layer = Layer.succeed(Transport, {
  connect: (address) => Effect.uninterruptibleMask((restore) => Effect.flatMap(restore(dial(address)), makeConnection)),
  listen: Effect.fnUntraced(function*<R>(
    address: string,
    handle: (connection: Connection) => Effect.Effect<void, never, R | Scope.Scope>
  ) {
    const handlers = yield* FiberSet.make<void>()
    const fork = yield* FiberSet.runtime(handlers)<Exclude<R, Scope.Scope>>()
    const server = Net.createServer(serverOptions, (socket) => {
      fork(Effect.scoped(Effect.flatMap(makeConnection(socket), handle)))
    })
    yield* Effect.addFinalizer(() => Effect.sync(() => void server.close()))
    return yield* NetListener.bind(server, address)
  })
})
