// The look of the status page: one sheet, for light and dark screens.
export const STYLE = `
:root { color-scheme: light dark; --good: #1a7f37; --bad: #b42318; --line: #8884; }
@media (prefers-color-scheme: dark) { :root { --good: #56d364; --bad: #ff7b72; } }
body { font: 16px/1.5 system-ui, sans-serif; margin: 0; }
main { max-width: 72rem; margin: 0 auto; padding: 1.5rem; }
header { display: flex; justify-content: space-between; align-items: center; gap: 1rem; flex-wrap: wrap; }
h1 { font-size: 1.4rem; margin: 0; } h2 { font-size: 1.1rem; margin: 2rem 0 .5rem; }
dl { display: grid; grid-template-columns: repeat(auto-fit, minmax(16rem, 1fr)); gap: .75rem 2rem; margin: 1.5rem 0; }
dt { font-size: .85rem; opacity: .75; } dd { margin: 0; overflow-wrap: anywhere; }
table { border-collapse: collapse; width: 100%; display: block; overflow-x: auto; }
th, td { text-align: left; padding: .5rem .75rem; border-bottom: 1px solid var(--line); vertical-align: top; }
code { font-size: .85rem; overflow-wrap: anywhere; }
.good { color: var(--good); } .bad { color: var(--bad); }
.state { padding: .1rem .5rem; border: 1px solid currentColor; border-radius: 1rem; white-space: nowrap; }
.synced { color: var(--good); } .stale, .failed, .expired { color: var(--bad); }
button, input { font: inherit; padding: .4rem .9rem; } label { display: block; margin: 1rem 0 .25rem; }
`
