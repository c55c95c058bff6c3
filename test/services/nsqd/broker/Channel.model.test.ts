import { describe, it } from "@effect/vitest"
import { Arbitrary, Effect, Schema } from "effect"
import { quietly, run } from "./channelLife.ts"
import { type Settings, Step } from "./ChannelModel.ts"

const steps = Arbitrary.array(Arbitrary.schema(Step), { maxLength: 60 })
const settings = (durability: Settings["durability"], memQueueSize: number) => ({
  durability: Arbitrary.Constant(durability),
  memQueueSize: Arbitrary.Constant(memQueueSize),
  requeueOnDisconnect: Schema.Boolean,
  maxMsgTimeout: Schema.Literals([35, 70])
})

describe("a channel behaves as its model, whatever happens in whatever order", () => {
  for (
    const [memQueueSize, name] of [[0, "no memory"], [1, "room for one message"], [3, "little memory"], [
      1000,
      "ample memory"
    ]] as const
  ) {
    it.effect.prop(
      `a channel behaves like its model with ${name}`,
      { ...settings("memory", memQueueSize), steps },
      ({ steps, ...settings }) => Effect.provide(run(settings, steps), quietly),
      { arbitrary: { runs: 400, size: 60, maxShrinks: 3000 }, timeout: 240_000 }
    )
  }

  for (const durability of ["written", "synced"] as const) {
    for (const [memQueueSize, name] of [[0, "no memory"], [3, "little memory"], [1000, "ample memory"]] as const) {
      it.effect.prop(
        `a channel of a ${durability} topic behaves like its model with ${name}, and keeps delays over restarts and kills`,
        { ...settings(durability, memQueueSize), steps },
        ({ steps, ...settings }) => Effect.provide(run(settings, steps), quietly),
        { arbitrary: { runs: 100, size: 60, maxShrinks: 3000 }, timeout: 240_000 }
      )
    }
  }
})
