//! `aurax users`.

use aurax::Principal;
use aurax::store::{NewUser, Role, User, UserChange};
use clap::{Args, Subcommand, ValueEnum};
use serde_json::json;

use super::exit::{Done, Failure};
use super::password::Password;
use super::print::at;
use super::shell::{Opened, Shell, account, all};
use super::table::{Side, Table};
use super::unless_interrupted;

const EXAMPLES: &str = "Examples:
  aurax users create ada@example.com --admin             with a password that is shown once
  aurax users create bob@example.com --password-stdin < password.txt
  aurax users invite eve@example.com                     with a code that is shown once
  aurax users plan bob@example.com team
  aurax users disable bob@example.com                    and end all logins
  aurax users reset-password ada@example.com";

/// Make and change accounts.
#[derive(Debug, Subcommand)]
#[command(after_long_help = EXAMPLES)]
pub(super) enum Users {
    /// List accounts, the latest made first
    List(List),
    /// Make an account
    Create(Create),
    /// Make an account, and a code that its owner logs in with and then replaces
    Invite(Invite),
    /// Close an account and end its logins
    Disable(One),
    /// Open an account again
    Enable(One),
    /// Give an account a plan
    Plan(Plan),
    /// Say what an account may do
    Role(SetRole),
    /// Give an account another password and end its logins
    ResetPassword(Reset),
}

#[derive(Debug, Args)]
pub(super) struct List {
    /// The most that are listed
    #[arg(long, value_name = "N", default_value_t = 200)]
    most: u16,
    /// Print one JSON object a line
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
pub(super) struct Create {
    /// The address
    email: String,
    /// May run the installation
    #[arg(long)]
    admin: bool,
    /// The plan [default: free]
    #[arg(long)]
    plan: Option<String>,
    /// Read the password from standard input; without it, one is made and shown once
    #[arg(long)]
    password_stdin: bool,
    /// Print a JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
pub(super) struct Invite {
    /// The address
    email: String,
    /// The plan [default: free]
    #[arg(long)]
    plan: Option<String>,
    /// Print a JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
pub(super) struct One {
    /// The address
    email: String,
}

#[derive(Debug, Args)]
pub(super) struct Plan {
    /// The address
    email: String,
    /// The plan
    plan: String,
}

#[derive(Debug, Args)]
pub(super) struct SetRole {
    /// The address
    email: String,
    /// What it may do
    role: RoleName,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum RoleName {
    User,
    Admin,
}

#[derive(Debug, Args)]
pub(super) struct Reset {
    /// The address
    email: String,
    /// Read the password from standard input; without it, one is made and shown once
    #[arg(long)]
    password_stdin: bool,
    /// Print a JSON object
    #[arg(long)]
    json: bool,
}

impl Users {
    pub(super) async fn run(self, shell: &Shell) -> Done {
        let opened = shell.open().await?;
        let done = unless_interrupted(self.work(shell, &opened)).await;
        opened.close(done).await
    }

    async fn work(&self, shell: &Shell, opened: &Opened) -> Done {
        match self {
            Self::List(list) => list.run(shell, opened).await,
            Self::Create(create) => {
                let password = password(opened, create.password_stdin)?;
                let role = if create.admin {
                    Role::Admin
                } else {
                    Role::User
                };
                let new = NewUser::new(&create.email).with_role(role);
                let secret = Shown {
                    word: "password",
                    json: create.json,
                };
                secret
                    .add(shell, opened, new, create.plan.as_deref(), password)
                    .await
            }
            Self::Invite(invite) => {
                let new = NewUser::new(&invite.email);
                let secret = Shown {
                    word: "code",
                    json: invite.json,
                };
                let code = Password::generated()?;
                secret
                    .add(shell, opened, new, invite.plan.as_deref(), code)
                    .await
            }
            Self::Disable(one) => {
                let mut change = UserChange::default();
                change.is_active = Some(false);
                let user = changed(opened, &one.email, change).await?;
                let ended = scope(opened, &user).end_logins().await?;
                shell
                    .out
                    .line(format!("{} is closed, {ended} logins ended", user.email))
            }
            Self::Enable(one) => {
                let mut change = UserChange::default();
                change.is_active = Some(true);
                let user = changed(opened, &one.email, change).await?;
                shell.out.line(format!("{} is open", user.email))
            }
            Self::Plan(plan) => {
                let mut change = UserChange::default();
                change.plan_type = Some(known_plan(opened, &plan.plan).await?);
                let user = changed(opened, &plan.email, change).await?;
                shell
                    .out
                    .line(format!("{} is on the plan {}", user.email, user.plan_type))
            }
            Self::Role(set) => {
                let mut change = UserChange::default();
                change.role = Some(match set.role {
                    RoleName::User => Role::User,
                    RoleName::Admin => Role::Admin,
                });
                let user = changed(opened, &set.email, change).await?;
                shell
                    .out
                    .line(format!("{} is {}", user.email, user.role.as_str()))
            }
            Self::ResetPassword(reset) => reset.run(shell, opened).await,
        }
    }
}

fn password(opened: &Opened, from_stdin: bool) -> Done<Password> {
    match from_stdin {
        true => Password::from_stdin(&opened.config),
        false => Password::generated(),
    }
}

fn scope(opened: &Opened, user: &User) -> aurax::store::UserScope {
    opened.store.user(&Principal::new(user.id.to_string()))
}

async fn changed(opened: &Opened, email: &str, change: UserChange) -> Done<User> {
    let user = account(&opened.store, email).await?;
    Ok(opened.store.admin().change_user(user.id, change).await?)
}

/// A plan that there is.
async fn known_plan(opened: &Opened, name: &str) -> Done<String> {
    let plans = opened.store.admin().plans().await?;
    if plans.iter().any(|plan| plan.name == name) {
        return Ok(name.to_owned());
    }
    let names: Vec<_> = plans.into_iter().map(|plan| plan.name).collect();
    let failure = Failure::not_found(format!("there is no plan `{name}`"));
    Err(failure.with_hint(format!("there are {}", names.join(", "))))
}

/// A secret that is made here and shown once.
struct Shown {
    word: &'static str,
    json: bool,
}

impl Shown {
    async fn add(
        &self,
        shell: &Shell,
        opened: &Opened,
        mut new: NewUser,
        plan: Option<&str>,
        password: Password,
    ) -> Done {
        if !new
            .email
            .trim()
            .split_once('@')
            .is_some_and(|(name, host)| {
                !name.is_empty() && !host.is_empty() && !new.email.contains(char::is_control)
            })
        {
            return Err(Failure::usage(format!(
                "`{}` is no address",
                new.email.escape_debug()
            )));
        }
        if let Some(plan) = plan {
            new.plan_type = known_plan(opened, plan).await?;
        }
        let (hash, made) = password.hash().await?;
        let user = opened
            .store
            .admin()
            .add_user(new.with_hashed_password(hash))
            .await?;
        self.show(shell, &user, "made", made.as_deref().map(String::as_str))
    }

    fn show(&self, shell: &Shell, user: &User, what: &str, made: Option<&str>) -> Done {
        let out = &shell.out;
        if self.json {
            return out.json(&json!({"user": user, self.word: made}));
        }
        let role = user.role.as_str();
        out.line(format!(
            "{what} {} ({role}, plan {})",
            user.email, user.plan_type
        ))?;
        let Some(made) = made else {
            return Ok(());
        };
        out.line(format!("{}: {made}", self.word))?;
        let how = match self.word {
            "code" => "it is shown this once: whoever has it logs in with it, and sets a password",
            _ => "it is shown this once",
        };
        out.remark(how);
        Ok(())
    }
}

impl List {
    async fn run(&self, shell: &Shell, opened: &Opened) -> Done {
        let admin = opened.store.admin();
        let users = all(usize::from(self.most), |page| {
            let admin = admin.clone();
            async move { admin.users(&page).await }
        })
        .await?;
        let mut table = Table::new([
            ("EMAIL", Side::Left),
            ("ROLE", Side::Left),
            ("PLAN", Side::Left),
            ("OPEN", Side::Left),
            ("MADE (UTC)", Side::Left),
            ("ID", Side::Left),
        ]);
        for user in &users {
            if self.json {
                shell.out.json(user)?;
                continue;
            }
            table.row([
                user.email.clone(),
                user.role.as_str().to_owned(),
                user.plan_type.clone(),
                if user.is_active { "yes" } else { "no" }.to_owned(),
                at(user.created_at),
                user.id.to_string(),
            ]);
        }
        match (self.json, users.is_empty()) {
            (true, _) => Ok(()),
            (false, true) => shell.out.line("there are no accounts"),
            (false, false) => table.print(&shell.out),
        }
    }
}

impl Reset {
    async fn run(&self, shell: &Shell, opened: &Opened) -> Done {
        let user = account(&opened.store, &self.email).await?;
        let (hash, made) = password(opened, self.password_stdin)?.hash().await?;
        let scope = scope(opened, &user);
        scope.set_hashed_password(hash).await?;
        let ended = scope.end_logins().await?;
        let shown = Shown {
            word: "password",
            json: self.json,
        };
        shown.show(shell, &user, "reset", made.as_deref().map(String::as_str))?;
        shell.out.remark(format!("{ended} logins ended"));
        Ok(())
    }
}
