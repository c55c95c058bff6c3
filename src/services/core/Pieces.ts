/**
 * The types of the pieces that a program passes to a daemon: each is a Layer, or `false` to leave an optional piece out.
 */
import type { Layer } from "effect"

/** A Layer of `A` with any error and any requirements. */
export type AnyLayer<A> = Layer.Layer<A, unknown, unknown>

/** The service that a Layer provides; `never` for Layers of references, such as loggers. */
export type OutputOf<Piece> = Piece extends Layer.Layer<infer A, infer _E, infer _R> ? A : never

/** The errors of a Layer; `never` for `false`. */
export type ErrorOf<Piece> = Piece extends Layer.Layer<infer _A, infer E, infer _R> ? E : never

/** The requirements of a Layer; `never` for `false`. */
export type RequirementOf<Piece> = Piece extends Layer.Layer<infer _A, infer _E, infer R> ? R : never

/**
 * `Given` if each of its keys is a key of `Pieces`, and each piece that is made of references provides no service, which would
 * have no effect.
 */
export type Valid<Given, Pieces> = {
  readonly [K in keyof Given]: K extends keyof Pieces
    ? [OutputOf<Pieces[K]>] extends [never] ? [OutputOf<Given[K]>] extends [never] ? Given[K] : never : Given[K]
    : never
}

/** The requirements of the pieces in `Given`, without the services that the daemon has for each in `Available`. */
export type RequirementsOf<Given, Available> = {
  [K in keyof Given]: Exclude<RequirementOf<Given[K]>, K extends keyof Available ? Available[K] : never>
}[keyof Given]

/** The errors of the pieces in `Given`, without those that the daemon makes its own. */
export type ErrorsOf<Given, Known> = Exclude<{ [K in keyof Given]: ErrorOf<Given[K]> }[keyof Given], Known>

/** The pieces of a standard daemon: none is replaced. */
export type Standard = Record<never, never>
