/**
 * The topic and channel patterns of an auth server: regular expressions in Go's syntax, matched in linear time.
 * Unlike in NSQ, a pattern must match the whole name. Compiled patterns are cached, because many clients usually have
 * the same ones.
 */
import { Result } from "effect"
import { RE2JS } from "re2js"
import { type AuthError, authError } from "./AuthError.ts"

/** In characters; names have at most 74. */
const maxLength = 1024
const maxKept = 1024

const kept = new Map<string, RE2JS>()

const compileNew = (pattern: string): Result.Result<RE2JS, AuthError> =>
  pattern.length > maxLength
    ? Result.fail(
      authError("InvalidPattern", `pattern of ${pattern.length} characters exceeds the limit of ${maxLength}`)
    )
    : Result.try({
      try: () => RE2JS.compile(pattern),
      catch: (cause) => authError("InvalidPattern", cause instanceof Error ? cause.message : String(cause))
    })

/** Compiles a pattern. Fails with the reason `InvalidPattern`. */
export const compile = (pattern: string): Result.Result<RE2JS, AuthError> => {
  const known = kept.get(pattern)
  if (known !== undefined) return Result.succeed(known)
  return Result.map(compileNew(pattern), (compiled) => {
    const oldest = kept.keys().next()
    if (kept.size >= maxKept && oldest.done === false) kept.delete(oldest.value)
    kept.set(pattern, compiled)
    return compiled
  })
}

/** Whether the pattern matches the whole name. */
export const matches = (pattern: RE2JS, name: string): boolean => pattern.matches(name)
