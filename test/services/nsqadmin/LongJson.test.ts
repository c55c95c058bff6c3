import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { HttpServerResponse } from "effect/http"
import * as Turns from "../../../src/services/core/Turns.ts"
import * as LongJson from "../../../src/services/nsqadmin/LongJson.ts"

const Item = Schema.Struct({ name: Schema.String, count: Schema.Finite })
const Named = Schema.Struct({ name: Schema.String, items: Schema.Array(Item), message: Schema.String })
const Counted = Schema.Struct({ counts: Schema.Record(Schema.String, Item), message: Schema.String })

const itemsOf = (count: number) => Array.from({ length: count }, (_, i) => ({ name: `"ítem" ${i}`, count: i }))

/** The text of a response, after a check of its length. */
const textOf = (response: HttpServerResponse.HttpServerResponse) =>
  Effect.promise(async () => {
    const { body } = response
    const web = HttpServerResponse.toWeb(response)
    const bytes = new Uint8Array(await web.arrayBuffer())
    assert.strictEqual(web.headers.get("content-type"), "application/json")
    assert.strictEqual(body._tag === "Stream" ? body.contentLength : undefined, bytes.length)
    return new TextDecoder().decode(bytes)
  })

describe("LongJson", () => {
  it.effect("a response has the same text as one that is encoded at once", () =>
    Effect.gen(function*() {
      for (const items of [[], itemsOf(1), itemsOf(5000)]) {
        const odd = { name: "\"items\":[]", message: "\"items\":[]" }
        const list = LongJson.response(Named, { ...odd, items: [] }, "items", LongJson.list(Item, items))
        assert.strictEqual(yield* textOf(yield* list), JSON.stringify({ name: odd.name, items, message: odd.message }))
        const entries = items.map((item) => [item.name, item] as const)
        const record = LongJson.response(Counted, { counts: {}, message: "" }, "counts", LongJson.record(Item, entries))
        assert.strictEqual(
          yield* textOf(yield* record),
          JSON.stringify({ counts: Object.fromEntries(entries), message: "" })
        )
      }
    }))

  it.effect("fields that a schema does not have are omitted, and each item is a step", () => {
    let turns = 0
    const short: Turns.Turns = { isOver: () => true, next: Effect.sync(() => void turns++) }
    const items = itemsOf(3).map((item) => ({ ...item, secret: 1 }))
    return Effect.gen(function*() {
      const value = { name: "n", items: [], message: "" }
      const response = yield* LongJson.response(Named, value, "items", LongJson.list(Item, items))
      assert.notInclude(yield* textOf(response), "secret")
      assert.strictEqual(turns, 3)
    }).pipe(Effect.provideService(Turns.Turns, short))
  })
})
