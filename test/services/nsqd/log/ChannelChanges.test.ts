import { assert, describe, it } from "@effect/vitest"
import { decodeLogState, type LogStateChanges, LogStateEncoder } from "../../../../src/protocol/storage/LogState.ts"
import { ChannelChanges, ephemeralNumber } from "../../../../src/services/nsqd/log/ChannelChanges.ts"

type Change = readonly [name: keyof LogStateChanges, ...values: ReadonlyArray<number | string>]

/** The recorded changes. */
const taken = (changes: ChannelChanges): ReadonlyArray<Change> => {
  const out = new LogStateEncoder()
  changes.take(out)
  const all: Array<Change> = []
  const note = (name: keyof LogStateChanges) => (...values: ReadonlyArray<number | string>) =>
    void all.push([name, ...values])
  const isWhole = decodeLogState(out.encoded, {
    epoch: note("epoch"),
    created: note("created"),
    deleted: note("deleted"),
    finished: note("finished"),
    returned: note("returned"),
    deferred: note("deferred"),
    held: note("held"),
    released: note("released"),
    lost: note("lost"),
    issued: note("issued"),
    trimmed: note("trimmed")
  })
  assert.isTrue(isWhole)
  return all
}

describe("the changes of a channel", () => {
  it("messages that are finished one after another are one change", () => {
    const changes = new ChannelChanges(3, () => true)
    for (const sequence of [10, 11, 12, 20]) changes.finished(sequence, sequence + 1)
    assert.deepStrictEqual(taken(changes), [["finished", 3, 10, 13], ["finished", 3, 20, 21]])
    assert.deepStrictEqual(taken(changes), [])
  })

  it("other changes keep their order among the finished messages", () => {
    const changes = new ChannelChanges(3, () => true)
    changes.finished(10, 11)
    changes.returned(5, 2)
    changes.finished(11, 12)
    changes.deferred(6, 1000, 3)
    changes.skipped(12, 14)
    assert.deepStrictEqual(taken(changes), [
      ["finished", 3, 10, 11],
      ["returned", 3, 5, 2],
      ["finished", 3, 11, 12],
      ["deferred", 3, 6, 1000, 3],
      ["finished", 3, 12, 14]
    ])
  })

  it("the log is notified once until the changes are taken, or again if it has not noted them", () => {
    let notified = 0
    let isNoted = false
    const changes = new ChannelChanges(3, () => {
      notified++
      return isNoted
    })
    changes.finished(1, 2)
    isNoted = true
    changes.finished(2, 3)
    changes.returned(3, 2)
    assert.strictEqual(notified, 2)
    taken(changes)
    changes.finished(4, 5)
    assert.strictEqual(notified, 3)
  })

  it("an ephemeral channel notifies its log of changes and records none", () => {
    let notified = 0
    const changes = new ChannelChanges(ephemeralNumber, () => ++notified > 0)
    changes.finished(1, 2)
    changes.returned(5, 2)
    changes.deferred(6, 1000, 3)
    assert.strictEqual(notified, 1)
    assert.deepStrictEqual(taken(changes), [])
  })

  it("a restart forgets what was not taken", () => {
    const changes = new ChannelChanges(3, () => true)
    changes.finished(1, 2)
    changes.returned(5, 2)
    changes.restart()
    assert.deepStrictEqual(taken(changes), [])
  })
})
