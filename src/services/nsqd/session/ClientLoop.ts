/**
 * The lifetime of a client connection: the magic, then commands until the client or the daemon ends it. The connection's
 * fiber reads and executes commands, one sends heartbeats and checks the client's, and one waits while the client does not
 * read its output; it starts when that happens for the first time. All end with the connection's Scope, and messages in
 * flight are requeued.
 */
import { Clock, Duration, Effect, Fiber, Scheduler, type Scope } from "effect"
import { magicV2 } from "../../../protocol/client/Command.ts"
import type { DecoderLimits } from "../../../protocol/client/CommandDecoder.ts"
import type { Decoded } from "../../../protocol/client/Decoded.ts"
import { type ProtocolError, protocolError } from "../../../protocol/client/ProtocolError.ts"
import * as Input from "../../core/Input.ts"
import * as Time from "../../core/Time.ts"
import { Turns } from "../../core/Turns.ts"
import { LogThreshold } from "../../logging/LogThreshold.ts"
import { readMagic } from "../../net/Magic.ts"
import type { NetError } from "../../net/NetError.ts"
import { type Connection, readEach } from "../../net/Transport.ts"
import { Clients } from "../broker/Clients.ts"
import { isTlsRequired, NsqdOptions } from "../options/NsqdOptions.ts"
import * as Commands from "./Commands.ts"
import * as Identify from "./commands/Identify.ts"
import type { Pending } from "./connection/CommandHandler.ts"
import type { PublishesHost } from "./connection/Publishes.ts"
import { Session, type SessionLimits } from "./connection/Session.ts"
import * as LargeCommands from "./LargeCommands.ts"

const decoderLimits = (options: NsqdOptions): DecoderLimits => ({
  maxMsgSize: options.maxMsgSize,
  maxBodySize: options.maxBodySize,
  maxIdentifySize: Math.min(options.maxBodySize, options.maxIdentifySize),
  maxReqTimeoutMillis: Duration.toMillis(options.maxReqTimeout),
  maxRdyCount: options.maxRdyCount
})

const isPublish = ({ _tag }: Decoded): boolean =>
  _tag === "PUB" || _tag === "MPUB" || _tag === "DPUB" || _tag === "HPUB"

/** The handler of each connection, for the broker of the environment. */
export const make = Effect.gen(function*() {
  const options = yield* NsqdOptions
  const clients = yield* Clients
  const commands = yield* Commands.make
  const threshold = yield* LogThreshold
  const time = yield* Time.make
  const turns = yield* Turns
  const placeOf = yield* LargeCommands.make
  const limits: SessionLimits = {
    decoder: decoderLimits(options),
    identify: Identify.limitsOf(options),
    tlsRequired: isTlsRequired(options),
    refuse: commands.refuse
  }

  const refuseMagic = (connection: Connection): void => {
    const session = newSession(connection, 0)
    session.outbox.error(protocolError("E_BAD_PROTOCOL", ""))
    session.outbox.flush()
  }

  const newSession = (connection: Connection, connectTime: number) =>
    new Session(connection, limits, time.monotonicMillis(), connectTime)

  const executeLoudly = (session: Session, command: Decoded): Pending =>
    Effect.andThen(
      Effect.logDebug(`PROTOCOL(V2): [${session.connection.remoteAddress}] [${commands.describe(command)}]`),
      Effect.suspend(() => commands.execute(session, command) ?? Effect.void)
    )

  const execute = (session: Session, command: Decoded): Pending =>
    threshold.allows("debug") ? executeLoudly(session, command) : commands.execute(session, command)

  const isTurnOver = (session: Session): boolean => {
    session.activity.looked()
    return turns.isOver()
  }

  const executeLater = (session: Session, command: Decoded): Pending =>
    Effect.suspend(() => execute(session, command) ?? Effect.void)

  /** Executes all received commands, in turns with other connections; true if the connection has to end. */
  const executeAll = (session: Session): Effect.Effect<boolean, never, Scope.Scope> | boolean => {
    const { activity, decoder, publishes } = session
    const run = threshold.allows("debug") ? executeLoudly : commands.execute
    // A publish whose authorization was waited for may have to be waited for as well.
    if (publishes.isFull) {
      session.send()
      return Effect.andThen(publishes.hasRoom, resumeExecution(session))
    }
    for (let command = decoder.next(session); command !== undefined; command = decoder.next(session)) {
      const { isIdle } = publishes
      if (command._tag === "Overlong") {
        const line = `client(${session.connection.remoteAddress}) failed to read command - line too long`
        return Effect.andThen(publishes.settled, Effect.as(Effect.logError(line), true))
      }
      const pending = isIdle || isPublish(command) ? run(session, command) : executeLater(session, command)
      if (pending === undefined) {
        activity.executed()
        if (!publishes.isIdle && publishes.isFull) {
          session.send()
          return Effect.andThen(publishes.hasRoom, resumeExecution(session))
        }
        if (!activity.isLookDue || !isTurnOver(session)) continue
        session.send()
        return Effect.andThen(nextTurn(session), resumeExecution(session))
      }
      activity.deferred()
      // The previous responses must not wait for this command.
      session.send()
      return Effect.matchEffect(isIdle ? pending : Effect.andThen(publishes.settled, pending), {
        onSuccess: () => resumeExecution(session),
        onFailure: (error) => refuse(session, error)
      })
    }
    return false
  }

  const nextTurn = (session: Session): Effect.Effect<void> =>
    Effect.suspend(() => {
      session.activity.awaitTurn()
      return Effect.ensuring(turns.next, Effect.sync(() => session.activity.takeTurn()))
    })

  const resumeExecution = (session: Session): Effect.Effect<boolean, never, Scope.Scope> =>
    Effect.suspend(() => {
      if (session.activity.isLookDue && isTurnOver(session)) {
        return Effect.andThen(nextTurn(session), resumeExecution(session))
      }
      const done = executeAll(session)
      return typeof done === "boolean" ? Effect.succeed(done) : done
    })

  const reportRefusal = (session: Session, error: ProtocolError): Effect.Effect<void> =>
    Effect.suspend(() => {
      session.outbox.error(error)
      return Effect.logError(`[${session.connection.remoteAddress}] - ${error.message}`)
    })

  const refuse = (session: Session, error: ProtocolError) =>
    error.fatal
      ? Effect.as(reportRefusal(session, error), true)
      : Effect.andThen(reportRefusal(session, error), resumeExecution(session))

  /** The client is not read from meanwhile, so the wait does not count as its silence. */
  const waitForPlace = Effect.fnUntraced(function*(session: Session, place: LargeCommands.Place) {
    const since = time.monotonicMillis()
    session.activity.beginWait()
    yield* place.settle
    session.activity.resumeAfter(time.monotonicMillis() - since)
  })

  /** Reads and executes commands until the client or a fatal error ends the connection. */
  const readLoop = Effect.fnUntraced(function*(session: Session) {
    const { decoder, outbox } = session
    const place = yield* placeOf(decoder)

    /** Executes what has arrived. Returns what has to complete before more is read, if anything. */
    const proceed = () => {
      session.activity.stepped()
      const arrived = decoder.buffered
      const rest = executeAll(session)
      if (typeof rest !== "boolean") return rest
      // Only complete commands count: partial commands do not reset the timeout.
      if (decoder.buffered < arrived) session.activity.heard(time.monotonicMillis())
      if (rest || outbox.hasReplies) session.send()
      return rest || !outbox.isWritable ? rest : undefined
    }
    let rest = proceed()
    const take = (chunk: Buffer): boolean => {
      decoder.feed(chunk)
      session.activity.arrived(chunk.length)
      rest = proceed()
      return rest === undefined && place.isSettled()
    }

    while (true) {
      if (rest !== undefined && typeof rest !== "boolean") {
        session.activity.beginWait()
        rest = yield* rest
        session.activity.endWait(time.monotonicMillis())
        session.send()
      }
      if (rest === true) return
      if (!outbox.isWritable) yield* session.connection.drained
      if (!place.isSettled()) yield* waitForPlace(session, place)
      // IDENTIFY may have replaced the connection.
      const hasMore = yield* readEach(session.connection, take)
      if (!hasMore) {
        decoder.finish()
        const last = executeAll(session)
        if (typeof last !== "boolean") yield* last
        yield* session.publishes.settled
        return session.send()
      }
    }
  })

  /**
   * Sends heartbeats; ends the connection if the client completes no command for two intervals
   * (docs/protocol/client.md#heartbeats). Runs from the magic on with NSQ's default interval, so that it bounds the wait
   * for IDENTIFY too.
   */
  const heartbeats = Effect.fnUntraced(function*(session: Session) {
    const interval = session.negotiated.heartbeatInterval
    if (interval === 0) return
    let next = time.monotonicMillis() + interval
    while (true) {
      const now = time.monotonicMillis()
      const deadline = session.activity.lastHeard + 2 * interval
      if (now >= deadline && !session.isWaiting) {
        yield* Input.heard([() => session.inputMark()])
        if (session.isWaiting || session.activity.lastHeard + 2 * interval > now) continue
        yield* Effect.logError(`client(${session.connection.remoteAddress}) - heartbeat timeout`)
        return session.close()
      }
      if (now >= next) {
        while (next <= now) next += interval
        if (!session.isUpgrading) {
          session.outbox.heartbeat()
          session.send()
        }
        continue
      }
      yield* Effect.sleep(Math.ceil((session.isWaiting ? next : Math.min(next, deadline)) - now))
    }
  })

  /** True once the client has read the pending output, false if it reads nothing for a heartbeat interval. */
  const drained = Effect.fnUntraced(function*({ connection, negotiated }: Session) {
    const patience = negotiated.heartbeatInterval || limits.identify.defaultHeartbeatInterval
    while (true) {
      const before = connection.takenBytes()
      const result = yield* Effect.timeoutOption(connection.drained, patience)
      if (result._tag === "Some") return true
      if (connection.takenBytes() === before) return false
    }
  })

  /**
   * Sends held-back messages. While the client does not read its output, the channel delivers nothing to it; a client
   * that reads nothing for a heartbeat interval is disconnected. Every path ends in `send`, which checks the state
   * again.
   */
  const outputLoop = Effect.fnUntraced(function*(session: Session) {
    const { outbox } = session
    while (true) {
      yield* session.outputWaiting
      if (outbox.isWritable) {
        // Otherwise the connection was full, and was drained before this fiber ran.
        if (session.holdsBack) yield* Effect.sleep(session.lateFlushMillis)
      } else {
        const isAlive = yield* drained(session)
        if (!isAlive) {
          yield* Effect.logError(`client(${session.connection.remoteAddress}) - failed to send, i/o timeout`)
          return session.close()
        }
      }
      session.send()
    }
  })

  const logDefect = (connection: Connection, defect: unknown) =>
    Effect.logError(`client(${connection.remoteAddress}) - closed by a defect`, defect)

  const fork = Effect.runForkWith(yield* Effect.context<never>())
  const dispatcher = (yield* Scheduler.Scheduler).makeDispatcher()

  const publishesHost = (session: Session, start: (work: Effect.Effect<void>) => void): PublishesHost => {
    let isSendDue = false
    const sendAll = (): void => {
      isSendDue = false
      session.send()
    }
    return {
      start,
      responded: (isLast) => {
        if (isLast) {
          session.activity.heard(time.monotonicMillis())
          session.send()
        } else if (!isSendDue) {
          // Publishes of one commit end one after the other, and their responses are sent together.
          isSendDue = true
          dispatcher.scheduleTask(sendAll, 0)
        }
      },
      refused: (error) =>
        Effect.andThen(
          reportRefusal(session, error),
          Effect.sync(() => {
            session.send()
            session.close()
          })
        )
    }
  }

  /** Starts the fibers beside the reader, which is the current fiber. They end when the Scope closes. */
  const startFibers = (session: Session): Effect.Effect<void, never, Scope.Scope> =>
    Effect.uninterruptible(Effect.withFiber((reader) => {
      const start = (loop: Effect.Effect<void>) =>
        fork(Effect.catchDefect(loop, (defect) =>
          Effect.andThen(
            logDefect(session.connection, defect),
            Effect.sync(() => session.close())
          )))
      let beats = start(heartbeats(session))
      let output: Fiber.Fiber<void> | undefined
      session.attach({
        end: () => reader.currentDispatcher.scheduleTask(() => reader.interruptUnsafe(), 0),
        restartHeartbeats: () => {
          beats.interruptUnsafe()
          beats = start(heartbeats(session))
        },
        startOutput: () => {
          output = start(Effect.andThen(Effect.yieldNow, outputLoop(session)))
        }
      })
      session.publishes.attach(publishesHost(session, start))
      return Effect.addFinalizer(() => {
        session.attach(undefined)
        session.publishes.attach(undefined)
        return Fiber.interruptAll(output === undefined ? [beats] : [beats, output])
      })
    }))

  const run = Effect.fnUntraced(function*(connection: Connection): Effect.fn.Return<void, NetError, Scope.Scope> {
    yield* Effect.logInfo(`TCP: new client(${connection.remoteAddress})`)
    const first = yield* readMagic(connection, magicV2, () => refuseMagic(connection))
    if (first === undefined) return
    const connectTime = Math.floor((yield* Clock.currentTimeMillis) / 1000)
    const session = newSession(connection, connectTime)
    yield* clients.add(session)
    session.decoder.feed(first)
    yield* startFibers(session)
    yield* readLoop(session)
  })

  return (connection: Connection): Effect.Effect<void, never, Scope.Scope> =>
    run(connection).pipe(
      Effect.catch((lost) => Effect.logInfo(`client(${connection.remoteAddress}) - ${lost.message}`)),
      Effect.catchDefect((defect) => logDefect(connection, defect)),
      Effect.ensuring(Effect.logInfo(`PROTOCOL(V2): [${connection.remoteAddress}] exiting ioloop`))
    )
})
