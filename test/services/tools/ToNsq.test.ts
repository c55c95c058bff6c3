import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Layer, Queue, Schema, Stream } from "effect"
import { FetchHttpClient } from "effect/http"
import { TestClock } from "effect/testing"
import * as ToNsq from "../../../src/services/tools/ToNsq.ts"
import { split } from "../../../src/services/tools/ToNsq.ts"
import { Idle, MemoryTransport, until, untilIdle } from "../../../src/testing/index.ts"
import { cut, CutLengths } from "../../protocol/client/commands.ts"
import * as FakeNsqd from "../client/fakeNsqd.ts"

const memory = Layer.mergeAll(MemoryTransport.layer, FetchHttpClient.layer).pipe(Layer.provideMerge(Idle.layer))

const pieces = (chunks: ReadonlyArray<Buffer>) =>
  Effect.map(Stream.runCollect(split(Stream.fromIterable(chunks), 10)), (found) => [...found].map(String))

describe("splitting input", () => {
  it.effect.prop(
    "the pieces without the empty ones are the same, however the input is cut",
    [Schema.Array(Schema.String.check(Schema.isPattern(/^[a-z ]*$/))), CutLengths],
    ([lines, lengths]) =>
      Effect.gen(function*() {
        const input = Buffer.from(lines.join("\n"))
        assert.deepStrictEqual(yield* pieces(cut(input, lengths)), lines.filter((line) => line !== ""))
      })
  )

  it.effect("the last piece is complete without a delimiter at its end", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* pieces([Buffer.from("one\ntw"), Buffer.from("o")]), ["one", "two"])
    }))
})

describe("to_nsq", () => {
  const options = { ...ToNsq.defaults(), topic: "t", nsqdTcpAddresses: ["a:1"] }
  const inputOf = (...texts: ReadonlyArray<string>) => Stream.fromIterable(texts.map((text) => Buffer.from(text)))

  it.effect("the tool ends with the reason when nsqd does not take a message", () =>
    Effect.gen(function*() {
      const nsqd = yield* FakeNsqd.make("a:1", { silent: false })
      yield* ToNsq.publishInput(options, inputOf("one\ntwo\n"))
      assert.deepStrictEqual(nsqd.published, ["one", "two"])
      const badTopic = { ...options, topic: "b$" }
      const error = yield* Effect.flip(ToNsq.publishInput(badTopic, inputOf("one\n")))
      assert.strictEqual(error.message, `E_BAD_TOPIC PUB topic name "b$" is not valid`)
    }).pipe(Effect.scoped, Effect.provide(memory)))

  it.effect("the tool ends at once with the reason when nsqd refuses it after the connection was lost", () =>
    Effect.gen(function*() {
      const nsqd = yield* FakeNsqd.make("a:1", { silent: false })
      const lines = yield* Queue.unbounded<Buffer>()
      const running = yield* Effect.forkScoped(Effect.flip(ToNsq.publishInput(options, Stream.fromQueue(lines))))
      yield* Queue.offer(lines, Buffer.from("one\n"))
      yield* until(() => nsqd.published.length === 1)
      yield* untilIdle
      nsqd.refuseSecrets("E_UNAUTHORIZED AUTH no authorizations found")
      nsqd.breakOff()
      yield* untilIdle
      yield* TestClock.adjust("1 second")
      assert.strictEqual((yield* Fiber.join(running)).message, "a:1: Auth Required")
    }).pipe(Effect.scoped, Effect.provide(memory)))
})
