//! The running service.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use secrecy::SecretString;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};
use wrenchtime_api::{Exposition, Limits};
use wrenchtime_connector::{Clock, SystemClock};
use wrenchtime_egress::{AllowRule, Policy};
use wrenchtime_service::storage::ConnectionStore;
use wrenchtime_service::{IssuedKey, MasterKey, Options, Parts, Service, Vault};
use wrenchtime_transport::{Runtime, RuntimeOptions};
use wrenchtime_webhooks::{Dispatcher, DispatcherParts};

use crate::database::Database;
use crate::files::{
    LocalService, last_service, master_key, new_master_key, no_master_key, write_local_service,
};
use crate::{StartError, metrics};

/// How often the dispatcher looks for events that nobody woke it for.
const DISPATCH_INTERVAL: Duration = Duration::from_secs(5);

/// What a service is to be.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct HostOptions {
    /// Where everything is kept. Made if there is none.
    pub data_dir: PathBuf,
    /// The PostgreSQL database that keeps what is stored, as `postgres://user:password@host:port/database`; a file in the
    /// data directory when absent. Keys and locks stay in the data directory.
    pub database: Option<SecretString>,
    /// Where the API listens; port 0 takes a free one.
    pub listen: SocketAddr,
    /// What credentials are sealed under, as 64 hexadecimal digits; from `master.key` when absent.
    pub master_key: Option<SecretString>,
    /// Hosts and networks that outgoing requests may reach although they are private.
    pub allow: Vec<AllowRule>,
    /// Folders inside of which on-premises exports may be read.
    pub folders: Vec<PathBuf>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// What else can be chosen.
    pub service: Options,
}

impl HostOptions {
    /// Keeps everything in this directory and listens on 127.0.0.1:8321.
    pub fn new(data_dir: impl Into<PathBuf>) -> Self {
        Self {
            data_dir: data_dir.into(),
            database: None,
            listen: SocketAddr::from(([127, 0, 0, 1], 8321)),
            master_key: None,
            allow: Vec::new(),
            folders: Vec::new(),
            clock: Arc::new(SystemClock),
            service: Options::default(),
        }
    }

    /// Sets the PostgreSQL database that keeps what is stored.
    #[must_use]
    pub fn with_database(mut self, address: Option<SecretString>) -> Self {
        self.database = address;
        self
    }

    /// Sets where the API listens.
    #[must_use]
    pub fn with_listen(mut self, listen: SocketAddr) -> Self {
        self.listen = listen;
        self
    }

    /// Sets the master key.
    #[must_use]
    pub fn with_master_key(mut self, key: Option<SecretString>) -> Self {
        self.master_key = key;
        self
    }

    /// Sets which private addresses may be reached.
    #[must_use]
    pub fn with_allow(mut self, allow: Vec<AllowRule>) -> Self {
        self.allow = allow;
        self
    }

    /// Sets the folders that may be read.
    #[must_use]
    pub fn with_folders(mut self, folders: Vec<PathBuf>) -> Self {
        self.folders = folders;
        self
    }

    /// Sets what else can be chosen.
    #[must_use]
    pub fn with_service(mut self, service: Options) -> Self {
        self.service = service;
        self
    }
}

/// A service that runs.
#[derive(Debug)]
pub struct Host {
    address: SocketAddr,
    service: Service,
    database: Database,
    first_key: Option<IssuedKey>,
    local: LocalService,
    stop_api: CancellationToken,
    stop_dispatcher: CancellationToken,
    api: JoinHandle<()>,
    dispatcher: JoinHandle<()>,
}

impl Host {
    /// Starts a service: opens the store, checks the key, listens, goes on with unfinished runs.
    ///
    /// # Errors
    /// Says what stands in the way and what to do. What was stored stays as it was then, and what a first start made is
    /// what the next one goes on with: once nothing stands in the way, it starts and has a first key to show.
    pub async fn start(options: HostOptions) -> Result<Self, StartError> {
        wrenchtime_egress::install_tls_provider();
        let exposition = metrics::exposition();
        // What can fail without the data directory comes first: it leaves no trace there.
        let listener = listen(options.listen).await?;
        let address = listener.local_addr().map_err(|reason| StartError::Listen {
            address: options.listen,
            reason,
        })?;
        let policy = Policy::allowing(options.allow.clone());
        let runtime = runtime(&options, &policy)?;
        let given = master_key(&options.data_dir, options.master_key.as_ref())?;
        let database = Database::open(
            &options.data_dir,
            options.database.as_ref(),
            Arc::clone(&options.clock),
        )
        .await?;
        let lent = (policy, runtime, exposition);
        let started =
            Self::start_on(&options, database.clone(), given, lent, (listener, address)).await;
        if started.is_err() {
            database.close().await;
        }
        started
    }

    async fn start_on(
        options: &HostOptions,
        database: Database,
        given: Option<MasterKey>,
        (policy, runtime, exposition): (Policy, Runtime, Option<Exposition>),
        (listener, address): (TcpListener, SocketAddr),
    ) -> Result<Self, StartError> {
        let stores = database.stores();
        let master_key = match given {
            Some(key) => key,
            None => key_of_new_store(&options.data_dir, &*stores.connections).await?,
        };
        let service = Service::open(Parts {
            systems: wrenchtime_catalog::systems(&runtime),
            connections: stores.connections,
            records: stores.records,
            deliveries: Arc::clone(&stores.deliveries),
            sync: stores.sync,
            clock: Arc::clone(&options.clock),
            master_key,
            options: options.service.clone(),
        })
        .await?;
        let parts = DispatcherParts::new(
            stores.events,
            stores.deliveries,
            service.vault(),
            Arc::clone(&options.clock),
        );
        let dispatcher = Dispatcher::try_new(parts.with_egress(policy))?;
        let local = local_key(&options.data_dir, &service, address).await?;
        let first_key = match start_syncs(&service, &dispatcher).await {
            Ok(first_key) => first_key,
            Err(error) => {
                service.shutdown().await;
                return Err(error);
            }
        };
        let (stop_api, stop_dispatcher) = (CancellationToken::new(), CancellationToken::new());
        let api = tokio::spawn(serve(
            listener,
            service.clone(),
            exposition,
            stop_api.clone(),
        ));
        let stopped = stop_dispatcher.clone();
        let dispatcher =
            tokio::spawn(async move { dispatcher.run(DISPATCH_INTERVAL, stopped).await });
        info!(%address, data_dir = %options.data_dir.display(), "service started");
        Ok(Self {
            address,
            service,
            database,
            first_key,
            local,
            stop_api,
            stop_dispatcher,
            api,
            dispatcher,
        })
    }

    /// Returns where the API listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns the API's address as a URL, without a slash at its end.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Returns the first management key, when this start drew it, to be shown and then kept.
    ///
    /// This start takes it from now on, later ones after [`Host::keep_first_key`]. Where it could not be shown, the next start
    /// draws another.
    pub fn first_key(&self) -> Option<&SecretString> {
        self.first_key.as_ref().map(|issued| &issued.secret)
    }

    /// Keeps the first management key, which was shown: later starts know it, and show none. Does nothing where this
    /// start drew none.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn keep_first_key(&self) -> Result<(), StartError> {
        if let Some(issued) = &self.first_key {
            self.service.keep_first_key(&issued.key).await?;
        }
        Ok(())
    }

    /// Returns how the command line reaches this service.
    pub fn local(&self) -> &LocalService {
        &self.local
    }

    /// Returns the service itself.
    pub fn service(&self) -> &Service {
        &self.service
    }

    /// Stops it: requests under way are answered, runs end after the page they are at and go on at the next start,
    /// attempts under way come to their end.
    pub async fn shutdown(self) {
        self.stop_api.cancel();
        self.service.shutdown().await;
        self.stop_dispatcher.cancel();
        for (task, name) in [(self.api, "api"), (self.dispatcher, "dispatcher")] {
            if let Err(error) = task.await {
                warn!(%error, name, "a part of the service ended badly");
            }
        }
        self.database.close().await;
        info!("service stopped");
    }
}

async fn listen(address: SocketAddr) -> Result<TcpListener, StartError> {
    TcpListener::bind(address)
        .await
        .map_err(|reason| StartError::Listen { address, reason })
}

fn runtime(options: &HostOptions, policy: &Policy) -> Result<Runtime, StartError> {
    let mut lent = RuntimeOptions::new(Arc::clone(&options.clock));
    lent.egress = policy.clone();
    lent.folders.clone_from(&options.folders);
    Ok(Runtime::new(lent)?)
}

/// Makes a key where nothing is sealed yet. Where something is, only the key that it was sealed under will do.
async fn key_of_new_store(
    data_dir: &Path,
    store: &dyn ConnectionStore,
) -> Result<MasterKey, StartError> {
    let is_initialised = Vault::is_initialised(store)
        .await
        .map_err(wrenchtime_service::Error::from)?;
    if is_initialised {
        return Err(no_master_key(data_dir));
    }
    new_master_key(data_dir)
}

/// Draws the first key last: a start that fails has none to show.
async fn start_syncs(
    service: &Service,
    dispatcher: &Dispatcher,
) -> Result<Option<IssuedKey>, StartError> {
    service.start(Some(dispatcher.waker())).await?;
    Ok(service.draw_first_key().await?)
}

/// The command line's key of the last start serves again, unless it was revoked.
async fn local_key(
    data_dir: &Path,
    service: &Service,
    address: SocketAddr,
) -> Result<LocalService, StartError> {
    use secrecy::ExposeSecret;
    let mut key = None;
    if let Some(last) = last_service(data_dir) {
        let is_valid = service
            .authenticate(last.key.expose_secret())
            .await?
            .is_some();
        key = is_valid.then_some(last.key);
    }
    let key = match key {
        Some(key) => key,
        None => service.create_local_key().await?.secret,
    };
    let local = LocalService { address, key };
    write_local_service(data_dir, &local)?;
    Ok(local)
}

async fn serve(
    listener: TcpListener,
    service: Service,
    exposition: Option<Exposition>,
    stop: CancellationToken,
) {
    let keeping_up = tokio::spawn(metrics::keep_up(Arc::clone(service.clock()), stop.clone()));
    let limits = Limits::default();
    let app = wrenchtime_api::router(service, limits, exposition);
    if let Err(error) = wrenchtime_api::serve(listener, app, limits, stop).await {
        error!(%error, "the API ended: the service must be started again");
    }
    keeping_up.abort();
}
