/** The actions of administrators, as functions for event handlers. */
import { useAtomSet } from "@effect/atom-react"
import type { Action as Verb } from "../../protocol/http/admin/AdminApi.ts"
import { AdminClient } from "./api.ts"

const mode = { mode: "promiseExit" } as const

/** Returns the actions on a topic, or on a channel if its name is given. */
export const useActions = (topic: string, channel?: string) => {
  const act = useAtomSet(AdminClient.mutation("topics", "act"), mode)
  const actOnChannel = useAtomSet(AdminClient.mutation("topics", "actOnChannel"), mode)
  const remove = useAtomSet(AdminClient.mutation("topics", "delete"), mode)
  const removeChannel = useAtomSet(AdminClient.mutation("topics", "deleteChannel"), mode)
  return {
    act: (action: Verb) =>
      channel === undefined
        ? act({ params: { topic }, payload: { action } })
        : actOnChannel({ params: { topic, channel }, payload: { action } }),
    remove: () => channel === undefined ? remove({ params: { topic } }) : removeChannel({ params: { topic, channel } })
  }
}

/** Returns a function that creates a topic or a channel. */
export const useCreate = () => useAtomSet(AdminClient.mutation("topics", "create"), mode)

/** Returns a function that tombstones a topic on a node. */
export const useTombstone = () => useAtomSet(AdminClient.mutation("nodes", "tombstone"), mode)

/** Returns functions that begin and end the drain of a node. */
export const useDrain = () => {
  const drain = useAtomSet(AdminClient.mutation("nodes", "drain"), mode)
  const undrain = useAtomSet(AdminClient.mutation("nodes", "undrain"), mode)
  return (node: string, isDraining: boolean) => (isDraining ? drain : undrain)({ params: { node } })
}

/** Returns a function that closes the connection of a client. */
export const useCloseClient = () => useAtomSet(AdminClient.mutation("clients", "close"), mode)

/** Returns a function that mutes a warning. */
export const useMute = () => useAtomSet(AdminClient.mutation("live", "mute"), mode)

/** Returns a function that sends a test alert. */
export const useTestAlert = () => useAtomSet(AdminClient.mutation("live", "testAlert"), mode)

/** Returns functions that delete and requeue a stored message. */
export const useStoredMessage = () => ({
  remove: useAtomSet(AdminClient.mutation("storage", "remove"), mode),
  requeue: useAtomSet(AdminClient.mutation("storage", "requeue"), mode)
})

/** Returns functions that begin and cancel a redrive on a node. */
export const useRedrive = () => ({
  begin: useAtomSet(AdminClient.mutation("storage", "redrive"), mode),
  cancel: useAtomSet(AdminClient.mutation("storage", "cancelRedrive"), mode)
})

/** Returns a function that moves a channel in its topic's log. */
export const useRewind = () => useAtomSet(AdminClient.mutation("storage", "rewind"), mode)

/** Returns functions that set and delete a policy on all nsqds. */
export const usePolicies = () => ({
  set: useAtomSet(AdminClient.mutation("policies", "set"), mode),
  remove: useAtomSet(AdminClient.mutation("policies", "remove"), mode)
})

/** Returns a function that publishes a test message. */
export const usePublish = () => useAtomSet(AdminClient.mutation("messages", "publish"), mode)
