/** What names of topics and channels may be. Fields are described by it. */
export const NameRule = ({ id, isBroken }: { readonly id: string; readonly isBroken: boolean }) => (
  <p id={id} className={isBroken ? "rule broken" : "rule"}>
    1 to 64 of letters, digits, dot, underscore and hyphen; #ephemeral may follow
  </p>
)
