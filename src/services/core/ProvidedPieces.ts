/**
 * Finds services that a program provided to the Layer of a daemon in place of a piece. `Layer.provide(daemon, piece)` compiles for any
 * Layer, because its types are Effect's; `CompleteLayer` refuses the form with `pipe` only.
 */
import { Effect } from "effect"

interface AnyKey {
  readonly key: string
}

/**
 * Fails with a description if the environment has one of `services`, by the names of their pieces, which the daemon builds itself
 * nevertheless. A piece in `given` is the program's decision; where the environment has one of `givers`, which give out such
 * services, they are not meant for this daemon.
 */
export const check = Effect.fnUntraced(function*(
  services: Readonly<Record<string, AnyKey>>,
  given: object,
  givers: ReadonlyArray<AnyKey>
): Effect.fn.Return<void, string> {
  const { mapUnsafe: environment } = yield* Effect.context<never>()
  if (givers.some(({ key }) => environment.has(key))) return
  const found = Object.entries(services).find(([piece, { key }]) => !(piece in given) && environment.has(key))
  if (found === undefined) return
  const [piece] = found
  return yield* Effect.fail(
    `the piece ${piece} has no effect where it is provided to the daemon's Layer; pass it to layerWith or layerFrom, or pass ` +
      `pieces.${piece} to use the standard one`
  )
})
