/**
 * The confirmation of commands that delete messages: the flag `--yes`, or the typed name at a terminal.
 */
import { Effect } from "effect"
import { Flag, Prompt } from "effect/cli"
import process from "node:process"
import { CliError, CliErrorReason } from "./CliError.ts"

/** The flag that confirms in advance. */
export const yes = Flag.Boolean("yes").pipe(
  Flag.withAlias("y"),
  Flag.withDescription("Do not ask for confirmation"),
  Flag.withDefault(false)
)

const refused = (description: string): CliError =>
  new CliError({ reason: CliErrorReason.NotConfirmed({ description }) })

/** Fails unless the user types `name`. `loss` says what will be gone. */
export const confirm = Effect.fnUntraced(function*(name: string, loss: string, isConfirmed: boolean) {
  if (isConfirmed) return
  if (!process.stdin.isTTY) return yield* refused(`${loss}; give --yes to confirm`)
  const typed = yield* Effect.mapError(
    Prompt.run(Prompt.String({ message: `${loss}. Type ${name} to confirm` })),
    () => refused("not confirmed")
  )
  if (typed !== name) return yield* refused("not confirmed")
})
