import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema, Struct } from "effect"
import * as StatsResponse from "../../../src/protocol/http/StatsResponse.ts"
import { Turns, unlimited } from "../../../src/services/core/Turns.ts"
import * as LongResponse from "../../../src/services/http/LongResponse.ts"

const decode = (text: string) => LongResponse.decode(StatsResponse.StatsByTopic, Buffer.from(text))
const whole = Schema.decodeEffect(
  Schema.fromJsonString(StatsResponse.Stats.mapFields(Struct.pick(["version", "health", "topics"])))
)

const stats = (topics: number): string =>
  JSON.stringify({
    version: "1.3.0",
    health: "OK",
    start_time: 1,
    topics: Array.from({ length: topics }, (_, i) => ({
      topic_name: `tópic ${i}`,
      channels: [{ channel_name: "c", depth: i, clients: null }],
      depth: i
    })),
    memory: { heap_objects: 1 }
  })

describe("LongResponse", () => {
  it.effect("decoding topic by topic gives the same result as decoding the whole response", () =>
    Effect.gen(function*() {
      const odd = "{ \"version\" : \"1\",\"topics\":[ {\"topic_name\":\"a,]}\\\"\"} , {\"topic_name\":\"b\"} ] }"
      const texts = [stats(0), stats(1), stats(300), "{\"topics\":null}", odd, "{\"t\\u006fpics\":[]}"]
      for (const text of texts) assert.deepStrictEqual(yield* decode(text), yield* whole(text))
    }))

  it.effect("decoding topic by topic fails for the same responses as decoding the whole response", () =>
    Effect.gen(function*() {
      const texts = [
        "",
        "no JSON",
        "{}",
        "null",
        "{\"topics\":{}}",
        "{\"topics\":[{}]}",
        "{\"topics\":[null]}",
        "{\"topics\":[{\"topic_name\":1}]}",
        "{\"topics\":[{\"topic_name\":\"a\"},]}",
        "{\"version\":1,\"topics\":[]}",
        stats(3).slice(0, -1),
        stats(3).replace("}],", "}]],")
      ]
      for (const text of texts) {
        yield* Effect.flip(whole(text))
        assert.isUndefined(yield* Effect.flip(decode(text)), text)
      }
    }))

  it.effect("decoding topic by topic takes turns with other work between any two topics", () =>
    Effect.gen(function*() {
      let turns = 0
      const count = Effect.sync(() => void turns++)
      const short = { isOver: () => true, next: Effect.andThen(count, unlimited.next) }
      const { topics } = yield* Effect.provideService(decode(stats(50)), Turns, short)
      assert.strictEqual(topics?.length, 50)
      // The search for the topics has a step for each topic as well.
      assert.isAtLeast(turns, 99)
    }))

  it.effect("each topic is used as soon as it is decoded, after the rest of the response", () => {
    const used: Array<string> = []
    const use = (body: string) =>
      LongResponse.forEach(StatsResponse.StatsByTopic, Buffer.from(body), ({ version }) => {
        used.push(version)
        return ({ depth, topic_name }) => void used.push(`${topic_name}: ${depth}`)
      })
    return Effect.gen(function*() {
      assert.strictEqual((yield* use(stats(2))).health, "OK")
      assert.deepStrictEqual(used.splice(0), ["1.3.0", "tópic 0: 0", "tópic 1: 1"])
      yield* use("{\"version\":\"1\",\"t\\u006fpics\":[],\"topics\":null}")
      assert.deepStrictEqual(used.splice(0), ["1"])
      assert.isUndefined(yield* Effect.flip(use(stats(2).replace("\"depth\":1,\"clients\":null}],", "}]],"))))
      assert.deepStrictEqual(used, [])
      assert.isUndefined(yield* Effect.flip(use(stats(2).replace("\"topic_name\":\"tópic 1\"", "\"topic_name\":1"))))
      assert.deepStrictEqual(used, ["1.3.0", "tópic 0: 0"])
    })
  })
})
