import { useAtomRefresh, useAtomValue } from "@effect/atom-react"
import { AsyncResult, type Atom } from "effect/reactivity"
import { type ReactNode, useEffect, useRef } from "react"
import { ResponseWarning } from "./Notice.tsx"
import { QueryError } from "./QueryResponse.tsx"
import { Skeleton } from "./Waiting.tsx"

/** The parameter `timeout` of a prompt query, in ms: daemons that respond reply within it. */
export const promptly = "500"

interface Shown<A> {
  /** `isFinal` is false until all daemons have replied or failed. */
  readonly children: (response: A, isFinal: boolean) => ReactNode
  /** What is shown before the first response. Default: a skeleton. */
  readonly early?: ReactNode
}

/** The response of all daemons; until then `prompt`, that of those that replied promptly, undefined if none did. */
const Complete = <A extends { readonly message: string }, E>({ children, early, of, prompt }: Shown<A> & {
  readonly of: Atom.Atom<AsyncResult.AsyncResult<A, E>>
  readonly prompt: A | undefined
}) => {
  const result = useAtomValue(of)
  const refresh = useAtomRefresh(of)
  const before = useRef(prompt)
  useEffect(() => {
    if (before.current === prompt) return
    before.current = prompt
    refresh()
  }, [prompt, refresh])
  if (result._tag === "Success" && !result.waiting) {
    return (
      <>
        <ResponseWarning message={result.value.message} />
        {children(result.value, true)}
      </>
    )
  }
  return (
    <>
      {result._tag === "Failure" && !result.waiting && <QueryError cause={result.cause} onRetry={refresh} />}
      {prompt === undefined ? result._tag !== "Failure" && (early ?? <Skeleton />) : children(prompt, false)}
    </>
  )
}

/** Whether all daemons have replied: the response has no warning. */
const isComplete = ({ message }: { readonly message: string }): boolean => message === ""

/**
 * Shows the response of a query that a daemon delays in two steps: first what the daemons reply promptly, then, if some have not replied,
 * the response of all. `prompt` is the query with the timeout `promptly`, `all` the one without.
 */
export const PromptResponse = <A extends { readonly message: string }, E>({ all, children, early, prompt }: Shown<A> & {
  readonly prompt: Atom.Atom<AsyncResult.AsyncResult<A, E>>
  readonly all: Atom.Atom<AsyncResult.AsyncResult<A, E>>
}) => {
  const result = useAtomValue(prompt)
  const known = AsyncResult.value(result)
  if (result._tag !== "Failure" && known._tag === "None") return early ?? <Skeleton />
  if (result._tag === "Success" && isComplete(result.value)) return children(result.value, true)
  return (
    <Complete of={all} prompt={result._tag === "Success" ? result.value : undefined} early={early}>
      {children}
    </Complete>
  )
}
