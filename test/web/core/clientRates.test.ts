import { assert, describe, it } from "@effect/vitest"
import { ClientRates, keyOf } from "../../../src/web/core/clientRates.ts"

interface Client {
  readonly node: string
  readonly remote_address: string
  readonly count: number
}

const client = (count: number, remote_address = "10.0.0.1:5000"): Client => ({ node: "a:4151", remote_address, count })

const key = keyOf(client(0))

const count = (one: Client): number => one.count

/** Adds responses with the counts at these times; returns the rate after each. */
const ratesOf = (responses: ReadonlyArray<readonly [at: number, count: number]>): ReadonlyArray<number | null> => {
  const rates = new ClientRates<Client>()
  return responses.map(([at, value]) => {
    rates.add([client(value)], at)
    return rates.rateOf(key, count)
  })
}

describe("ClientRates", () => {
  it("a rate needs responses that are a second apart, so that two in a row do not show 0", () => {
    assert.deepStrictEqual(ratesOf([[0, 0], [20, 0], [900, 90], [2000, 200]]), [null, null, null, 100])
  })

  it("messages in bursts have the rate of the last five seconds", () => {
    const responses = Array.from({ length: 13 }, (_, i) => [i * 1000, Math.floor(i / 2) * 20] as const)
    assert.deepStrictEqual(ratesOf(responses).slice(6), [12, 8, 12, 8, 12, 8, 12])
  })

  it("responses that are further apart are compared with the one before", () => {
    assert.deepStrictEqual(ratesOf([[0, 0], [15_000, 150], [30_000, 450]]), [null, 10, 20])
  })

  it("a connection has no rate before its second response, and a counter that has become lower gives the rate 0", () => {
    const rates = new ClientRates<Client>()
    rates.add([], 0)
    rates.add([client(50)], 5000)
    assert.isNull(rates.rateOf(key, count))
    rates.add([client(150)], 10_000)
    assert.strictEqual(rates.rateOf(key, count), 20)
    rates.add([client(0)], 15_000)
    assert.strictEqual(rates.rateOf(key, count), 0)
    assert.isNull(rates.rateOf(keyOf(client(0, "10.0.0.2:5000")), count))
  })
})
