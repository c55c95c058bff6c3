/** The lines of `nsq sub` and `nsq tail` about their servers. */
import { assert, describe, it } from "@effect/vitest"
import { Console, Effect, Logger, References, Stream } from "effect"
import * as ServerNotices from "../../../src/services/cli/ServerNotices.ts"
import { ServerReport } from "../../../src/services/client/Connections.ts"
import { ClientError, ClientErrorReason, ConnectionState } from "../../../src/services/client/index.ts"

/** Runs what logs with notices of its own; returns the lines on standard error. */
const linesOf = Effect.fnUntraced(function*(log: (notices: ServerNotices.ServerNotices) => Effect.Effect<unknown>) {
  const lines: Array<string> = []
  const console = yield* Console.Console
  const captured = Object.assign(Object.create(console), { error: (line: string) => lines.push(line) })
  const notices = yield* Effect.provideService(ServerNotices.make, Console.Console, captured)
  yield* log(notices).pipe(
    Effect.provide(Logger.layer([notices.logger])),
    Effect.provideService(References.MinimumLogLevel, "Info")
  )
  return lines
})

const fails = (address: string, why = "connection refused") =>
  Effect.provideService(Effect.logWarning(`${address}: ${why}`), ServerReport, { address, isAway: true })

const connected = (address: string) => Stream.make(ConnectionState.Connected({ address }))

describe("ServerNotices", () => {
  it.effect("two nsqds that fail in turn have one line each until they are connected again", () =>
    Effect.gen(function*() {
      const lines = yield* linesOf(({ watch }) =>
        Effect.gen(function*() {
          yield* watch(connected("a:4150"))
          for (let i = 0; i < 3; i++) yield* Effect.andThen(fails("a:4150"), fails("b:4150"))
          yield* watch(connected("a:4150"))
          yield* Effect.andThen(fails("b:4150"), fails("a:4150"))
        })
      )
      assert.deepStrictEqual(lines, [
        "nsq: a:4150: connection refused",
        "nsq: b:4150: connection refused",
        "nsq: a:4150: connected",
        "nsq: a:4150: connection refused"
      ])
    }))

  it.effect("another reason of the same nsqd has its line once, and at most ten reasons have one", () =>
    Effect.gen(function*() {
      const lines = yield* linesOf(() =>
        Effect.gen(function*() {
          yield* fails("a:4150")
          yield* Effect.andThen(fails("a:4150", "E_UNAUTHORIZED"), fails("a:4150"))
          yield* fails("a:4150", "E_UNAUTHORIZED")
          for (let i = 0; i < 20; i++) yield* fails("a:4150", `reason ${i}`)
        })
      )
      assert.deepStrictEqual(lines.slice(0, 3), [
        "nsq: a:4150: connection refused",
        "nsq: a:4150: E_UNAUTHORIZED",
        "nsq: a:4150: reason 0"
      ])
      assert.lengthOf(lines, 10)
    }))

  it.effect("an nsqlookupd has a line when it fails and when it responds again, and other information has none", () =>
    Effect.gen(function*() {
      const responds = Effect.provideService(Effect.logInfo("nsqlookupd (l:4161) responds again"), ServerReport, {
        address: "l:4161",
        isAway: false
      })
      const lines = yield* linesOf(() =>
        Effect.gen(function*() {
          yield* Effect.andThen(fails("l:4161"), fails("l:4161"))
          yield* Effect.andThen(responds, responds)
          yield* Effect.logInfo("(a:4150) connected to nsqd")
          yield* Effect.andThen(Effect.logWarning("backing off"), Effect.logWarning("backing off"))
        })
      )
      assert.deepStrictEqual(lines, [
        "nsq: l:4161: connection refused",
        "nsq: nsqlookupd (l:4161) responds again",
        "nsq: backing off"
      ])
    }))

  it.effect("an nsqd that discovery no longer names has a line again when it is named again and fails", () =>
    Effect.gen(function*() {
      const error = new ClientError({
        reason: ClientErrorReason.ConnectFailure({ address: "a:4150", description: "connection refused" })
      })
      const states = Stream.make(
        ConnectionState.Disconnected({ address: "a:4150", error }),
        ConnectionState.Removed({ address: "a:4150" })
      )
      const lines = yield* linesOf(({ watch }) =>
        Effect.gen(function*() {
          yield* fails("a:4150")
          yield* watch(states)
          yield* fails("a:4150")
        })
      )
      assert.deepStrictEqual(lines, ["nsq: a:4150: connection refused", "nsq: a:4150: connection refused"])
    }))
})
